# Made by 'make generate' from the commands' records, with shtab.
# Parse current commandline:
# - _shtab_git_cpv_cmdpath=(sub)command path seen so far
# - _shtab_git_cpv_npos=number of positional arguments given after it
# - options are skipped based on _shtab_git_cpv_opts_with_value & _shtab_git_cpv_commands lists
function _shtab_git_cpv_scan
  set -g _shtab_git_cpv_cmdpath ''
  set -g _shtab_git_cpv_npos 0
  set -l tokens (commandline -opc)
  set -e tokens[1]
  set -l expect_value 0
  for t in $tokens
    if test $expect_value -eq 1
      set expect_value 0
      continue
    end
    switch "$t"
      case '--*=*'
        continue
      case '-*'
        if contains -- $t $_shtab_git_cpv_opts_with_value
          set expect_value 1
        end
        continue
      case '*'
        if test $_shtab_git_cpv_npos -eq 0
          set -l candidate $t
          if test -n "$_shtab_git_cpv_cmdpath"
            set candidate "$_shtab_git_cpv_cmdpath $t"
          end
          if contains -- $candidate $_shtab_git_cpv_commands
            set -g _shtab_git_cpv_cmdpath $candidate
            continue
          end
        end
        set -g _shtab_git_cpv_npos (math $_shtab_git_cpv_npos + 1)
    end
  end
end

# Condition helper: true if the current (sub)command path equals the given one.
function _shtab_git_cpv_using
  _shtab_git_cpv_scan
  test "$_shtab_git_cpv_cmdpath" = "$argv"
end

set -g _shtab_git_cpv_commands setup doctor init clone track untrack storage hooks push pull tag alias revert status list show diff verify foreach
set -g _shtab_git_cpv_opts_with_value --best --branch --count --credentials --endpoint --exclude --file --format --from --host --host-key --include --jobs --key --limit --limit-rate --max-time --message --metric --metrics --model --output --param --params --port --profile --project --region --remote --remove --repository --sample --sort --storage --tag-prefix --team --user --where --workspace -F -b -j -m -n -o

complete -c git-cpv -e
complete -c git-cpv -f

complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a setup -d 'Set up the storage and the git host, once'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l show -d 'print every setting and where it comes from, and change nothing'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l profile -x -d 'the AWS profile that signs in'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l credentials -xka "(__fish_complete_path (commandline -ct))" -d 'the file of AWS keys to read'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l storage -xka "(__fish_complete_directories)" -d 'keep objects under s3://BUCKET[/PREFIX] or a folder'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l region -x -d 'the bucket'"'"'s region'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l endpoint -x -d 'the server, where S3 is not Amazon'"'"'s'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l local -d 'store the answers for this repository only'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l key -xka "(__fish_complete_path (commandline -ct))" -d 'the SSH key to use, or to make'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l passphrase -d 'let ssh-keygen ask for a passphrase for the key it makes'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l port -x -d 'the port of the git host; for Bitbucket 443, where 22 is closed'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l host -x -d 'another git host than git@bitbucket.org'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l host-key -x -d 'the host key to accept, as SHA256:…'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l user -x -d 'the Atlassian account that API tokens belong to'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l workspace -x -d 'the Bitbucket workspace for git cpv init --create'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l no-check -d 'store without asking the network'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -s y -l yes -d 'ask nothing; take what is there'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -s n -l dry-run -d 'check everything, say what would be done, and change nothing'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using setup' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using setup; and test $_shtab_git_cpv_npos -eq 0' -ka "aws bitbucket" -d 'aws or bitbucket; both where neither is named'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a doctor -d 'Prove that everything works, from git to the storage'
complete -c git-cpv -n '_shtab_git_cpv_using doctor' -l report -d 'mask what is private, for pasting into an issue'
complete -c git-cpv -n '_shtab_git_cpv_using doctor' -l limit -x -d 'what each check may take at most'
complete -c git-cpv -n '_shtab_git_cpv_using doctor' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using doctor' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using doctor' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using doctor' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using doctor' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a init -d 'Make a repository for a model, or adopt one'
complete -c git-cpv -n '_shtab_git_cpv_using init' -l team -x -d 'the team'"'"'s name (default: your login)'
complete -c git-cpv -n '_shtab_git_cpv_using init' -l model -x -d 'the model'"'"'s name (default: the folder'"'"'s)'
complete -c git-cpv -n '_shtab_git_cpv_using init' -l storage -xka "(__fish_complete_directories)" -d 'keep objects under s3://BUCKET[/PREFIX] or a folder'
complete -c git-cpv -n '_shtab_git_cpv_using init' -l remote -x -d 'add this git remote, as origin (or cpv.remote)'
complete -c git-cpv -n '_shtab_git_cpv_using init' -l create -d 'make the git remote at Bitbucket: a private repository, named as the model'
complete -c git-cpv -n '_shtab_git_cpv_using init' -l workspace -x -d 'the Bitbucket workspace to make it in'
complete -c git-cpv -n '_shtab_git_cpv_using init' -l project -x -d 'the Bitbucket project to make it in, which is there already'
complete -c git-cpv -n '_shtab_git_cpv_using init' -l repository -x -d 'another name for it at Bitbucket than the model'"'"'s'
complete -c git-cpv -n '_shtab_git_cpv_using init' -l tag-prefix -x -d 'begin the tags of versions with this, where v1.2 or data are taken'
complete -c git-cpv -n '_shtab_git_cpv_using init' -l no-commit -d 'stage what was written, and leave the commit to you'
complete -c git-cpv -n '_shtab_git_cpv_using init' -s n -l dry-run -d 'check everything, say what would be done, and change nothing'
complete -c git-cpv -n '_shtab_git_cpv_using init' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using init' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using init' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using init' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using init' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using init; and test $_shtab_git_cpv_npos -eq 0' -ka "(__fish_complete_directories)" -d 'where, made if need be'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a clone -d 'Clone a repository with the objects of its checkpoint'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -s b -l branch -x -d 'check out this branch or tag, not the remote'"'"'s HEAD'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -l storage -xka "(__fish_complete_directories)" -d 'where the objects are, if the repository does not say: they lie under ROOT/TEAM/MODEL'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -l no-objects -d 'only clone; git cpv pull PATH or git cpv pull --all brings objects later'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -l include -x -d 'bring only the files that it matches, as in .gitignore, from the top; may be repeated'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -l exclude -x -d 'leave out the files that it matches; may be repeated'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -s n -l dry-run -d 'check everything, say what would be done, and change nothing'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -s j -l jobs -x -d 'how many transfers or files to work on at once'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -l limit-rate -x -d 'move at most so many bytes a second, all transfers together: 500k, 10M, 1.5G'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using clone' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using clone; and test $_shtab_git_cpv_npos -eq 1' -ka "(__fish_complete_directories)" -d 'where to clone to'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a track -d 'Make files or folders outs of the model or the data'
complete -c git-cpv -n '_shtab_git_cpv_using track' -l model -d 'only the model'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using track' -l data -d 'only the data'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using track' -l exclude -x -d 'leave out files of the folder that match, such as optimizer* (goes to .dvcignore)'
complete -c git-cpv -n '_shtab_git_cpv_using track' -l no-commit -d 'stage the changes, and leave the commit to you'
complete -c git-cpv -n '_shtab_git_cpv_using track' -s n -l dry-run -d 'check everything, say what would be done, and change nothing'
complete -c git-cpv -n '_shtab_git_cpv_using track' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using track' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using track' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using track' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using track' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using track; and test $_shtab_git_cpv_npos -ge 0' -ka "(__fish_complete_path (commandline -ct))" -d 'a file or folder'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a untrack -d 'Make outs ordinary files again'
complete -c git-cpv -n '_shtab_git_cpv_using untrack' -l no-commit -d 'stage the changes, and leave the commit to you'
complete -c git-cpv -n '_shtab_git_cpv_using untrack' -s n -l dry-run -d 'check everything, say what would be done, and change nothing'
complete -c git-cpv -n '_shtab_git_cpv_using untrack' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using untrack' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using untrack' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using untrack' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using untrack' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using untrack; and test $_shtab_git_cpv_npos -ge 0' -ka "(_cpv_complete_out)" -d 'an out, or its pointer'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a storage -d 'Show where objects are kept, trust that place, or move to another'
complete -c git-cpv -n '_shtab_git_cpv_using storage' -s n -l dry-run -d 'check everything, say what would be done, and change nothing'
complete -c git-cpv -n '_shtab_git_cpv_using storage' -s j -l jobs -x -d 'how many transfers or files to work on at once'
complete -c git-cpv -n '_shtab_git_cpv_using storage' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using storage' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using storage' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using storage' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using storage' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using storage; and test $_shtab_git_cpv_npos -eq 0' -ka "show trust move" -d 'show (the default), trust, or move'
complete -c git-cpv -n '_shtab_git_cpv_using storage; and test $_shtab_git_cpv_npos -eq 1' -ka "(__fish_complete_directories)" -d 'where to move to: s3://BUCKET, s3://BUCKET/PREFIX, or a folder'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a hooks -d 'Install hooks that see to plain git commit and git push'
complete -c git-cpv -n '_shtab_git_cpv_using hooks' -l files -d 'with install: also the hooks that bring files after a checkout or a merge'
complete -c git-cpv -n '_shtab_git_cpv_using hooks' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using hooks' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using hooks' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using hooks' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using hooks' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using hooks; and test $_shtab_git_cpv_npos -eq 0' -ka "install uninstall status run" -d 'install, uninstall, status (the default), or run'
complete -c git-cpv -n '_shtab_git_cpv_using hooks; and test $_shtab_git_cpv_npos -eq 1' -ka "post-commit pre-push post-checkout post-merge merge" -d 'with run: which hook git runs'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a push -d 'Record what changed, store it, and publish it'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l from -xka "(__fish_complete_path (commandline -ct))" -d 'take the content of PATH as the model, read where it lies; the files of the worktree stay as they are; where nothing is tracked as the model yet, an out model is made'
complete -c git-cpv -n '_shtab_git_cpv_using push' -s m -l message -x -d 'the commit'"'"'s message; by default it names the series and the metrics'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l metric -x -d 'a metric of the model; may be repeated'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l metrics -xka "(__fish_complete_path (commandline -ct))" -d 'metrics from a JSON file, - for stdin'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l param -x -d 'a parameter of the training; may be repeated'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l params -xka "(__fish_complete_path (commandline -ct))" -d 'parameters from a JSON file, - for stdin'
complete -c git-cpv -n '_shtab_git_cpv_using push' -s a -l all -d 'also commit the changes of all files that git tracks, as git commit -a does'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l branch -xka "(_cpv_complete_branch)" -d 'commit onto the branch NAME, without switching to it; it is made where it does not exist'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l remove -xka "(__fish_complete_path (commandline -ct))" -d 'take an absent file or folder out of the data, or of a model'"'"'s folder; may be repeated'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l check -d 'ask storage again about everything, whatever was confirmed before'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l model -d 'only the model'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l data -d 'only the data'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l combined -d 'both sides together'
complete -c git-cpv -n '_shtab_git_cpv_using push' -s n -l dry-run -d 'check everything, say what would be done, and change nothing'
complete -c git-cpv -n '_shtab_git_cpv_using push' -s f -l force -d 'where a file and its pointer both changed, publish the file'
complete -c git-cpv -n '_shtab_git_cpv_using push' -s j -l jobs -x -d 'how many transfers or files to work on at once'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l limit-rate -x -d 'move at most so many bytes a second, all transfers together: 500k, 10M, 1.5G'
complete -c git-cpv -n '_shtab_git_cpv_using push' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using push' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using push' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using push' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a pull -d 'Bring files to what the branch, or a version, names'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -l include -x -d 'bring only the files that it matches, as in .gitignore, from the top; may be repeated'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -l exclude -x -d 'leave out the files that it matches; may be repeated'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -l all -d 'bring what was left out too, and leave nothing out from now on'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -s o -l output -xka "(__fish_complete_directories)" -d 'write the version'"'"'s files to the folder DIR, which must be new or empty'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -l from -x -d 'take the version from the repository at a git URL, with no clone kept'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -l ours -d 'where both sides changed the same, keep what the branch here has'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -l theirs -d 'where both sides changed the same, take what the other side has'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -l model -d 'only the model'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -l data -d 'only the data'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -l combined -d 'both sides together'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -s n -l dry-run -d 'check everything, say what would be done, and change nothing'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -s f -l force -d 'replace changed files too, after copying them aside'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -s j -l jobs -x -d 'how many transfers or files to work on at once'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -l limit-rate -x -d 'move at most so many bytes a second, all transfers together: 500k, 10M, 1.5G'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using pull' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using pull; and test $_shtab_git_cpv_npos -ge 0' -ka "(_cpv_complete_version)" -d 'outs, folders that hold outs, or files and folders in outs, to bring up to date; or one version such as v1.2, latest, an alias such as production, or any git revision'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a tag -d 'Name the committed checkpoint as a version'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -l major -d 'give the next major number: v2.0 after v1.4'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -s m -l message -x -d 'what to say of the version; given several times, each is a paragraph (default: the subject of the commit)'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -s F -l file -xka "(__fish_complete_path (commandline -ct))" -d 'take the message from FILE; - is standard input'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -l auto -d 'name the checkpoint only if it is new and cpv.autotag wants it named; where there is nothing to do, say nothing'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -l push -d 'publish the version at once, objects first'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -l sign -d 'sign the tag, as git is set up to sign tags'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -l no-sign -d 'do not, even where git'"'"'s tag.gpgSign says so'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -s d -l delete -d 'delete a version that is still pending'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -s l -l list -d 'list the versions, as git cpv list does'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -l model -d 'only the model'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -l data -d 'only the data'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -l combined -d 'both sides together'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -s n -l dry-run -d 'check everything, say what would be done, and change nothing'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -s f -l force -d 'name objects again that have a version already'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -s j -l jobs -x -d 'how many transfers or files to work on at once'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using tag' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using tag; and test $_shtab_git_cpv_npos -eq 0' -ka "(_cpv_complete_version)" -d 'the number to give, instead of the next one; with -d the version to delete'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a alias -d 'Name the version that is in production, or what you like'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -s m -l message -x -d 'why; several times for paragraphs'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -l log -d 'show every setting of NAME, the newest first'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -s d -l delete -d 'take NAME away; that is a setting too, and its history stays'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -l push -d 'publish it at once, with the version it names if that is pending'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -l sign -d 'sign the tag, as git is set up to sign tags'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -l no-sign -d 'do not, even where git'"'"'s tag.gpgSign says so'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -l model -d 'only the model'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -l data -d 'only the data'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -s n -l dry-run -d 'check everything, say what would be done, and change nothing'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -s j -l jobs -x -d 'how many transfers or files to work on at once'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using alias' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using alias; and test $_shtab_git_cpv_npos -eq 0' -ka "(_cpv_complete_alias)" -d 'letters, digits, ., _ and - after a letter; no branch, tag or out'
complete -c git-cpv -n '_shtab_git_cpv_using alias; and test $_shtab_git_cpv_npos -eq 1' -ka "(_cpv_complete_version)" -d 'what it is to name'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a revert -d 'Bring a version back as a new commit'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -l continue -d 'go on with a revert that was interrupted'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -l abort -d 'take an interrupted revert back, exactly'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -l no-commit -d 'change the files and stage the pointers, but make no commit'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -l detach -d 'check out the version'"'"'s own commit, code and data included, on a detached HEAD'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -l branch -xka "(_cpv_complete_branch)" -d 'commit onto the branch NAME, without switching to it and without touching the worktree; it is made where it does not exist'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -l push -d 'publish the branch afterwards'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -l model -d 'only the model'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -l data -d 'only the data'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -l combined -d 'both sides together'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -s n -l dry-run -d 'check everything, say what would be done, and change nothing'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -s f -l force -d 'replace changed files too, after copying them aside'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -s j -l jobs -x -d 'how many transfers or files to work on at once'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using revert' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using revert; and test $_shtab_git_cpv_npos -eq 0' -ka "(_cpv_complete_version)" -d 'the version to bring back'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a status -d 'Show what differs between worktree, storage and git remote'
complete -c git-cpv -n '_shtab_git_cpv_using status' -l check -d 'ask storage whether it holds what the pointers name'
complete -c git-cpv -n '_shtab_git_cpv_using status' -s j -l jobs -x -d 'how many transfers or files to work on at once'
complete -c git-cpv -n '_shtab_git_cpv_using status' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using status' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using status' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using status' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using status' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a list -d 'List the versions of the model and the data'
complete -c git-cpv -n '_shtab_git_cpv_using list' -s n -l count -x -d 'at most so many of each series'
complete -c git-cpv -n '_shtab_git_cpv_using list' -l where -x -d 'only versions whose metrics fulfil this: loss < 0.3; several, or one with commas, must all hold'
complete -c git-cpv -n '_shtab_git_cpv_using list' -l sort -x -d 'by this metric, lowest first; -METRIC is highest first'
complete -c git-cpv -n '_shtab_git_cpv_using list' -l best -x -d 'only the best by this metric, or the best COUNT; cpv.metric.METRIC.goal, which is min or max, says what is better'
complete -c git-cpv -n '_shtab_git_cpv_using list' -l format -x -d 'a line for each version in this form, see above'
complete -c git-cpv -n '_shtab_git_cpv_using list' -l show-signature -d 'say who signed each, by the keys that git trusts here'
complete -c git-cpv -n '_shtab_git_cpv_using list' -l model -d 'only the model'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using list' -l data -d 'only the data'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using list' -l combined -d 'both sides together'
complete -c git-cpv -n '_shtab_git_cpv_using list' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using list' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using list' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using list' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using list' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a show -d 'Show one version whole'
complete -c git-cpv -n '_shtab_git_cpv_using show' -l model -d 'only the model'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using show' -l data -d 'only the data'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using show' -l show-signature -d 'say who signed the version, by the keys that git trusts here'
complete -c git-cpv -n '_shtab_git_cpv_using show' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using show' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using show' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using show' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using show' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using show; and test $_shtab_git_cpv_npos -eq 0' -ka "(_cpv_complete_version)" -d 'v1.2, data/v1.2, latest, an alias, or any git revision (default: HEAD)'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a diff -d 'Compare two versions, or one with the worktree'
complete -c git-cpv -n '_shtab_git_cpv_using diff' -l markdown -d 'print Markdown, for a pull request'
complete -c git-cpv -n '_shtab_git_cpv_using diff' -l exit-code -d 'end with 1 where they differ, as git diff --exit-code does'
complete -c git-cpv -n '_shtab_git_cpv_using diff' -l model -d 'only the model'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using diff' -l data -d 'only the data'"'"'s side'
complete -c git-cpv -n '_shtab_git_cpv_using diff' -l combined -d 'both sides together'
complete -c git-cpv -n '_shtab_git_cpv_using diff' -s j -l jobs -x -d 'how many transfers or files to work on at once'
complete -c git-cpv -n '_shtab_git_cpv_using diff' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using diff' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using diff' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using diff' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using diff' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using diff; and test $_shtab_git_cpv_npos -ge 0' -ka "(_cpv_complete_version)" -d 'v1.2, data/v1.2, latest, an alias, or any git revision; at most two, or A..B'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a verify -d 'Check that storage holds everything that the versions name'
complete -c git-cpv -n '_shtab_git_cpv_using verify' -l deep -d 'read every object back and check its md5'
complete -c git-cpv -n '_shtab_git_cpv_using verify' -l sample -x -d 'read back so much of the objects, such as 5%'
complete -c git-cpv -n '_shtab_git_cpv_using verify' -l max-time -x -d 'begin to read no more after so long, such as 90s, 10m or 2h'
complete -c git-cpv -n '_shtab_git_cpv_using verify' -l repair -d 'store again from the cache what is wrong'
complete -c git-cpv -n '_shtab_git_cpv_using verify' -s j -l jobs -x -d 'how many transfers or files to work on at once'
complete -c git-cpv -n '_shtab_git_cpv_using verify' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using verify' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using verify' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using verify' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using verify' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using; and test $_shtab_git_cpv_npos -eq 0' -a foreach -d 'Run a command in many repositories at once'
complete -c git-cpv -n '_shtab_git_cpv_using foreach' -l team -x -d 'only the repositories of this team'
complete -c git-cpv -n '_shtab_git_cpv_using foreach' -l continue -d 'go on with the other repositories after a failure'
complete -c git-cpv -n '_shtab_git_cpv_using foreach' -s j -l jobs -x -d 'how many repositories to work on at once'
complete -c git-cpv -n '_shtab_git_cpv_using foreach' -s v -l verbose -d 'say more: what was proved, which git commands ran; -vv more still'
complete -c git-cpv -n '_shtab_git_cpv_using foreach' -s q -l quiet -d 'say nothing but the answer and errors'
complete -c git-cpv -n '_shtab_git_cpv_using foreach' -l json -d 'print the answer as one JSON object, with a schema number that only grows'
complete -c git-cpv -n '_shtab_git_cpv_using foreach' -s h -d 'print a short help'
complete -c git-cpv -n '_shtab_git_cpv_using foreach' -l help -d 'open the manual page'
complete -c git-cpv -n '_shtab_git_cpv_using foreach; and test $_shtab_git_cpv_npos -ge 0' -ka "(__fish_complete_directories)" -d 'a repository, or a folder with repositories in it'

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
