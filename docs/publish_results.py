"""Copy a finished run's results to ``docs/results/`` and quote its tables in the README anew.

Run from the root as ``python docs/publish_results.py FOLDER NAME``: from the folder in which the
pipeline ran, such as ``runs/redial``, or ``.`` for the checkout itself, to ``docs/results/NAME``.
"""

import re
import shutil
import sys
from pathlib import Path

RESULTS, README = Path("docs/results"), Path("README.md")
BESIDE = (
    "metrics/ablation.json",
    "metrics/coverage.json",
    "metrics/ladder.json",
    "metrics/summary.json",
)
FIGURES = "data/examples/figures.json"


def copy_results(run: Path, folder: Path) -> None:
    """Copy the report's tables and pictures, and the figures beside them; the page itself not."""
    report = sorted((run / "metrics/report").glob("*"))
    files = [path for path in report if path.suffix in {".txt", ".csv", ".png"}]
    files += [run / name for name in (*BESIDE, FIGURES)]
    missing = [str(path) for path in files if not path.is_file()]
    if not report or missing:
        sys.exit(f"{run} is not finished: {', '.join(missing) or 'it has no report'}")
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copyfile(path, folder / path.name)


def quote_tables(text: str, root: Path) -> str:
    """The README with every quoted table as its file has it.

    A quoted table is a block of code below a comment that names its file.
    """

    def quoted(found: re.Match[str]) -> str:
        table = (root / found[1]).read_text(encoding="utf-8").rstrip("\n")
        return f"<!-- {found[1]} -->\n```\n{table}\n```"

    return re.sub(r"<!-- (\S+) -->\n```\n.*?\n```", quoted, text, flags=re.DOTALL)


def main() -> None:
    """Publish the run that the command line names."""
    if len(sys.argv) != 3:
        sys.exit(
            "name the folder of a finished run and one under docs/results/, "
            "as in: runs/redial redial-frozen"
        )
    copy_results(Path(sys.argv[1]), RESULTS / sys.argv[2])
    text = quote_tables(README.read_text(encoding="utf-8"), Path())
    README.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
