"""The command ``bench``: one module a verb, imported when it is called."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from bench.errors import BenchError
from bench.instructions import limited
from bench.texts import printable, shell_word

_VERBS = {
    "run": "Run methods on tasks and record the results.",
    "list": "List methods, tasks, datasets or tracks.",
    "show": "Show the card of a method, task or dataset, or a record and its pictures.",
    "describe": "Say what a dataset looks like before anything is trained on it.",
    "leaderboard": "Turn records into a board.",
    "nightly": "Run everything, check recorded runs, and make the site.",
    "compare": "Compare two methods, paired by seed.",
    "paper": "Compare published figures with measured ones.",
    "results": "Export, import, merge records, find wrong ones, and clean up.",
    "reproduce": "Run a record again and say whether it comes out the same.",
    "why": "Show what a cell's key is made of, and what has changed since.",
    "tune": "Measure which of several equivalent implementations is fastest, and write the tables.",
    "new": "Write a plugin to start from.",
    "check": "Check that a plugin keeps the contracts, by running it.",
    "doctor": "Check this installation and its results.",
}


class _Verbs(click.Group):
    """Loads a verb's module when the verb is called, and turns errors a
    user can mend into a sentence and an exit code.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        command = importlib.import_module(f"bench.cli.{cmd_name}_").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from bench.errors import UsageError, near

        if args and not args[0].startswith("-") and args[0] not in _VERBS:
            raise UsageError(
                f"unknown command {args[0]!r}.{near(args[0], _VERBS)} Run 'bench --help' for all "
                f"{len(_VERBS)}."
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_VERBS.items()))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; every way out is an exit code of the table in docs/results.md."""
        _streams()
        _any_text()
        try:
            limited()  # before anything loads NumPy or torch
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except BenchError as error:
            click.echo(printable(f"bench: {error}"), err=True)
            code = error.exit_code
        except click.ClickException as error:
            _echo_usage(error)
            code = 2
        except (KeyboardInterrupt, click.Abort) as error:
            # click raises its own error from the one that says what was cut off
            what = printable(str(error.__cause__ or error))
            click.echo(
                f"bench: interrupted{what and f': {what}'}; what was finished is recorded. To go "
                f"on: {_again(sys.argv[1:] if args is None else args)}",
                err=True,
            )
            code = 130
        except ModuleNotFoundError as error:
            if not _required(name := (error.name or "").partition(".")[0]):
                raise
            click.echo(
                f"bench: the library {name!r}, which bench needs, is not installed for "
                f"{sys.executable}; install datacentric-bench again with '{sys.executable} -m pip "
                "install datacentric-bench'.",
                err=True,
            )
            code = 4
        except BrokenPipeError:
            # the reader of a pipe has enough: no second error at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            code = 0
        sys.exit(code if isinstance(code, int) else 0)


def _again(args: Sequence[str]) -> str:
    """Return the command of these arguments, to paste into a shell."""
    encoding = sys.stderr.encoding or "utf-8"
    return " ".join(shell_word(word, encoding) for word in ("bench", *args))


def _required(name: str) -> bool:
    """Say whether a library, by the name that it is imported by, comes with every installation."""
    import re
    from importlib.metadata import requires

    from bench.plugins.installed import distribution_of

    lines = [line for line in requires("datacentric-bench") or () if "extra ==" not in line]
    return distribution_of(name) in {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines}


def _streams() -> None:
    """Have closed streams lead nowhere: else the next file that is opened would get the number of
    stdout, and what is printed would go into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))


def _any_text() -> None:
    """Escape what the terminal's encoding can't show: a name or a message
    in it must not end a command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _echo_usage(error: click.ClickException) -> None:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "bench"
    message = error.format_message().rstrip(".")
    click.echo(
        printable(
            f"bench: {message[:1].lower()}{message[1:]}. Run '{command} --help' for its options."
        ),
        err=True,
    )


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        import bench

        click.echo(f"bench {bench.__version__}")
        ctx.exit()


@click.group(
    cls=_Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
@click.pass_context
def main(context: click.Context) -> None:
    """The benchmark harness for data-centric learning: which data a model
    learns from, and how much of it.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
