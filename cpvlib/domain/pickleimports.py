"""Which imports of a pickle are known to be dangerous: what it names is called while it is loaded.

Whatever Python's own library holds counts as dangerous but for what models are made of: lists of single
functions that run commands have been got round again and again. Of other packages only what is known to run
code, load files or ask the network does; what is left is the maker's own code, of which nothing is known.
"""

from __future__ import annotations

import sys

from cpvlib.base.regex import regex


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What newer and older Pythons have, or had; pickles may be loaded by any. PEP 594, and Python 2's names.
_OTHER_PYTHONS = _words(
    """
    __builtin__ __builtins__ _aix_support _bootlocale _osx_support _posixsubprocess _pyrepl _winapi _winreg
    aifc annotationlib anydbm asynchat asyncore audioop BaseHTTPServer binhex bsddb cgi CGIHTTPServer cgitb
    chunk commands compression concurrent copy_reg cPickle cStringIO crypt distutils dl dummy_threading
    ensurepip formatter ftplib gdbm hotshot httplib idlelib imaplib imghdr imp imputil lib2to3 macpath mailcap
    msilib nis nntplib nt ossaudiodev parser pipes popen2 posix pyexpat Queue rexec sha SimpleHTTPServer smtpd
    sndhdr SocketServer spwd StringIO sunau symbol telnetlib test thread this Tkinter turtledemo urllib2
    UserDict UserList uu venv winreg xdrlib xmlrpclib
    """
)
_PYTHONS_OWN = frozenset(sys.stdlib_module_names) | _OTHER_PYTHONS

_HARMLESS = regex(
    r"(?:builtins|__builtin__)\.(?:bool|bytearray|bytes|complex|dict|Ellipsis|enumerate|float|frozenset|int"
    r"|iter|list|long|NotImplemented|object|range|reversed|set|slice|str|tuple|type|unicode|xrange|zip"
    r"|[A-Z][A-Za-z]*(?:Error|Exception|Warning)|Exception|StopIteration)"
    r"|collections\.(?:ChainMap|Counter|defaultdict|deque|OrderedDict|UserDict|UserList)"
    r"|(?:copyreg|copy_reg)\.(?:_reconstructor|__newobj__|__newobj_ex__)"
    r"|_codecs\.encode|array\.(?:array|_array_reconstructor)|argparse\.Namespace|functools\.partial"
    r"|(?:datetime|_pydatetime)\.[a-z]+|(?:decimal|_pydecimal)\.Decimal|fractions\.Fraction|uuid\.UUID"
    r"|pathlib(?:\._local)?\.(?:Pure)?(?:Posix|Windows)?Path|zoneinfo\.ZoneInfo\._unpickle"
    r"|(?:io|_io)\.(?:BytesIO|StringIO)|ipaddress\.IPv[46](?:Address|Network|Interface)"
    r"|logging\.(?:Logger|getLogger)|math\.[a-z0-9]+|operator\.itemgetter|random\.Random|re\._compile"
    r"|time\.struct_time|types\.SimpleNamespace|enum\.[A-Z][A-Za-z]+|typing\.(?!ForwardRef\b)[A-Z][A-Za-z]*",
)

# Packages and parts of them that run code, load other files, import what they are told, or use the network.
_DANGEROUS = _words(
    """
    aiohttp asyncssh cffi cloudpickle dill fabric fsspec httpx invoke IPython jinja2 jsonpickle keyring mako
    numba numexpr paramiko pexpect pip pkg_resources plumbum psutil ptyprocess requests setuptools
    _distutils_hack sh tornado twisted urllib3 wheel yaml zmq joblib.externals joblib.load joblib.memory
    joblib.numpy_pickle.load joblib.parallel numpy.ctypeslib numpy.distutils numpy.f2py numpy.fromfile
    numpy.lib._datasource numpy.lib._npyio_impl numpy.lib.format numpy.lib.npyio numpy.lib.utils numpy.load
    numpy.testing pandas.compat.pickle_compat pandas.core.computation pandas.eval pandas.io pandas.read_pickle
    pandas.util._test sklearn.utils._testing sympy.core.sympify sympy.parsing sympy.utilities.lambdify
    tensorflow.load_op_library tensorflow.py_function tensorflow.raw_ops torch._dynamo torch._functorch
    torch._inductor torch.compile torch.distributed torch.fx torch.hub torch.jit.unsupported_tensor_ops
    torch.load torch.multiprocessing torch.ops.load_library torch.package torch.serialization torch.testing
    torch.utils._config_module torch.utils.bottleneck torch.utils.collect_env torch.utils.cpp_extension
    torch.utils.data.datapipes torch.utils.model_dump
    """
)
# By whatever way they are reached: a module's own import of another package serves as well as the package.
_CALLS = _words(
    """
    __import__ compile eval exec exec_module execfile execWrapper func_load getattr import_module load_module
    popen run_module run_path runstring spawn system
    """
)
_MODULES = _words(
    """
    builtins ctypes importlib os pickle posix runpy shutil socket subprocess sys
    """
)
_DUNDER = regex(r"__\w+__")


def is_dangerous(module: str, name: str) -> bool:
    """Whether a pickle that imports `name`, which may be dotted, from `module` is known to be dangerous."""
    path = f"{module}.{name}"
    if _HARMLESS.fullmatch(path):
        return False
    if module.partition(".")[0] in _PYTHONS_OWN:
        return True
    *through, last = name.split(".")
    if last in _CALLS or last in _MODULES or any(map(_DUNDER.fullmatch, [*through, last])):
        return True
    if any(part in _PYTHONS_OWN for part in through):
        return True
    parts = path.split(".")
    return any(".".join(parts[:end]) in _DANGEROUS for end in range(1, len(parts) + 1))
