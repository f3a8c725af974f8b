"""The `gridroll` command: groups the packages' commands, and turns their errors into one line and an exit code."""

import os
import signal
import sys
from importlib import import_module

import click

COMMANDS = {
    "demo": ("demo.commands:demo", "Run a simulated class end to end, then show it in the portal."),
    "init": ("recognizer.preparation:init", "Make the stores, or bring them up to date."),
    "user": ("portal.commands:user", "Who may sign in to the portal."),
    "token": ("portal.token_commands:token", "What programs sign in with."),
    "roster": ("recognizer.commands:roster", "Who is expected in a course."),
    "faces": ("recognizer.commands:faces", "The faces the engine knows."),
    "course": ("db.course_commands:course", "Courses and their attendance rules."),
    "session": ("db.commands:session", "Class meetings."),
    "watch": ("screen_agent.commands:watch", "Look at a class until it ends, and keep its ledger."),
    "entry": ("portal.entry_commands:entry", "A student's entry in a session, and writing over it."),
    "excuse": ("db.excuse_commands:excuse", "Spans of time for which a student is excused."),
    "reviews": ("recognizer.review_commands:reviews", "What does not add up in a session, and settling it."),
    "replay": ("db.replay_commands:replay_session", "A session's ledger with other rules or thresholds."),
    "evidence": ("db.evidence.commands:evidence", "The crops behind the names."),
    "report": ("portal.commands:report", "The attendance of a session."),
    "balance": ("portal.balance_commands:balance", "Which looks balance, and what explains the others."),
    "term": ("portal.term_commands:term", "A course over a term: who came to which session, and how often."),
    "costs": ("portal.commands:costs", "What was paid for, and what is left of the budgets."),
    "serve": ("portal.commands:serve", "Run the portal."),
    "audit": ("db.proof.commands:audit", "What was changed and by whom, and proof that nothing else was."),
    "backup": ("recognizer.backup.commands:backup", "Write all stores into one archive, or check one."),
    "restore": ("recognizer.backup.commands:restore", "Put an archive's content in place of what is there."),
    "doctor": ("screen_agent.doctor:doctor", "Say what works, what is missing and how to get it."),
}


class _Lazy(click.Group):
    """Imports a command's module only when it is run: `gridroll report` loads no detector, `--help` nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gridroll")
def cli() -> None:
    """Attendance for online classes, verified by headcount."""


def main() -> None:
    """Run the command line: 0 done, 1 failed with one line on stderr, 2 wrong usage."""
    from db.errors import GridrollError

    # Read when numpy is loaded. On a busy machine several of its threads wait for each other, up to ten times as long.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Ends a command like any exit does, so that what it started (the cache's server, a window) is ended too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup lets a command outlive its terminal
            signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    try:
        cli()
    except (GridrollError, OSError) as error:
        print(f"gridroll: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
