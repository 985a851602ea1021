"""What the product can do, read from its source: nothing that fetches, runs or resolves (R18, R44).

Mutants killed: `import pickle` and a call of `eval` put into a module; the last test tries others.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("crypto", "tracing", "wire", "flightcore", "groundstation", "sim", "sekisho")
# Code from data, clients of anything, name resolution; and what runs other programs.
FORBIDDEN_IMPORTS = {
    *("pickle", "marshal", "shelve", "runpy", "code", "codeop", "dill", "cloudpickle"),
    *("urllib.request", "http.client", "ftplib", "smtplib", "poplib", "imaplib", "telnetlib"),
    *("requests", "httpx", "aiohttp", "urllib3", "websockets", "grpc", "sentry_sdk"),
    "asyncio.subprocess",
    *("pip", "ensurepip", "setuptools", "pkg_resources", "xmlrpc", "webbrowser", "nntplib"),
}
RUNS_PROGRAMS = {"subprocess", "multiprocessing", "pty"}
FORBIDDEN_CALLS = {
    *("eval", "exec", "compile", "__import__", "execfile", "breakpoint"),
    *("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getfqdn"),
    *("system", "popen", "create_subprocess_exec", "create_subprocess_shell"),
    *("execv", "execve", "execvp", "spawnv", "posix_spawn", "fork"),
    *("create_connection", "open_connection", "urlopen"),
}
# `sekisho demo` starts the services of this very package, the companion its own control loop, and
# the gateway its own broker.
MAY_RUN_PROGRAMS = {
    "sekisho/demo_stack.py",
    "flightcore/aio/loop_port.py",
    "groundstation/aio/embedded.py",
}
# Write their own arithmetic out as straight-line code, from constants of this package.
MAY_COMPILE = {"tracing/compiled.py", "tracing/executors.py"}
# The command line imports its own subcommand by a name out of a constant table.
MAY_IMPORT_BY_NAME = {"sekisho/cli.py"}


def modules():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def findings(name, source):
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            imported = []
        for module in imported:
            parents = {module[:i] for i in range(len(module) + 1) if module[i : i + 1] in ("", ".")}
            found += sorted(parents & FORBIDDEN_IMPORTS)
            if parents & RUNS_PROGRAMS and name not in MAY_RUN_PROGRAMS:
                found.append(module)
        if isinstance(node, ast.Call):
            called = node.func
            is_method = isinstance(called, ast.Attribute)
            what = called.attr if is_method else getattr(called, "id", "")
            # re.compile is not the built-in, and neither is sqlite's execute.
            is_re = is_method and isinstance(called.value, ast.Name) and called.value.id == "re"
            is_own = what in ("exec", "compile") and name in MAY_COMPILE
            is_own |= what == "create_subprocess_exec" and name in MAY_RUN_PROGRAMS
            if what in FORBIDDEN_CALLS and not is_re and not is_own:
                found.append(what)
            if what == "import_module" and name not in MAY_IMPORT_BY_NAME:
                found.append(what)
    return found


def test_no_module_fetches_runs_or_resolves_anything():
    seen = dict(modules())
    assert len(seen) > 100
    assert {name: found for name, text in seen.items() if (found := findings(name, text))} == {}


def test_the_exceptions_are_still_needed():
    for name in MAY_RUN_PROGRAMS | MAY_COMPILE | MAY_IMPORT_BY_NAME:
        assert findings("elsewhere.py", (ROOT / name).read_text()), name


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from urllib.request import urlopen",
        "from urllib import request",
        "import http.client as h",
        "import subprocess",
        "from asyncio import subprocess",
        "eval(data)",
        "builtins.exec(data)",
        "compile(data, '', 'exec')",
        "socket.getaddrinfo(host, 1)",
        "importlib.import_module(name)",
        "os.system('x')",
        "await asyncio.open_connection(host, 1)",
    ],
)
def test_the_scan_finds(source):
    assert findings("some/module.py", source)
