"""Copy a finished run's results to ``docs/results/`` and quote all tables in the documents anew.

Run from the root as ``python docs/publish_results.py FOLDER NAME``: from the folder in which the
pipeline ran, such as ``runs/redial``, or ``.`` for the checkout itself, to ``docs/results/NAME``.
Without both it only quotes: tables of benchmarks that ran again.
"""

import re
import shutil
import sys
from pathlib import Path

from stages.recommender.errors import run_stage
from stages.recommender.yaml_files import read_yaml

RESULTS = Path("docs/results")
PAGES = (Path("README.md"), Path("docs/scaling.md"))
"""Documents with quoted tables."""
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
    params = run / "params.yaml"
    missing = [str(path) for path in (*files, params) if not path.is_file()]
    if not report or missing:
        sys.exit(f"{run} is not finished: {', '.join(missing) or 'it has no report'}")
    if read_yaml(params)["redial"]["source"] == "sample":
        sys.exit(f"{run} is of the sample corpus, whose movies are invented; name another run")
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copyfile(path, folder / path.name)


def quote_tables(text: str, root: Path) -> str:
    """A document with every quoted table as its file has it.

    A quoted table is a block of code below a comment that names its file.
    """

    def quoted(found: re.Match[str]) -> str:
        table = (root / found[1]).read_text(encoding="utf-8").rstrip("\n")
        return f"<!-- {found[1]} -->\n```\n{table}\n```"

    return re.sub(r"<!-- (\S+) -->\n```\n.*?\n```", quoted, text, flags=re.DOTALL)


def main() -> None:
    """Publish the run that the command line names, if it does."""
    if len(sys.argv) not in (1, 3):
        sys.exit(
            "name the folder of a finished run and one under docs/results/, "
            "as in: runs/redial redial-frozen"
        )
    if len(sys.argv) == 3:
        copy_results(Path(sys.argv[1]), RESULTS / sys.argv[2])
    for page in PAGES:
        text = quote_tables(page.read_text(encoding="utf-8"), Path())
        page.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run_stage(main)
