
# The values that only git knows.

function _cpv_complete_version
    echo latest
    git for-each-ref --sort=-v:refname --format='%(refname:lstrip=-1)' 'refs/tags/**/*v[0-9]*.[0-9]*' 2>/dev/null
    _cpv_complete_alias
end

function _cpv_complete_alias
    git for-each-ref --format='%(refname:lstrip=-2)' 'refs/tags/**/*alias/*/*' 2>/dev/null | string replace -r '/.*' '' | sort -u
end

function _cpv_complete_branch
    git for-each-ref --format='%(refname:lstrip=2)' refs/heads 2>/dev/null
end

function _cpv_complete_remote
    git remote 2>/dev/null
end

function _cpv_complete_out
    git ls-files -- '*.dvc' 2>/dev/null | string replace -r '\.dvc$' ''
end
