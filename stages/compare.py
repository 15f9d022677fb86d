"""All models' results → one summary, the tables, the pictures and the report."""

from stages.recommender import artifacts
from stages.recommender.errors import run_stage
from stages.recommender.params import load_params
from stages.recommender.reporting import assembly, gains, pictures, report, tables
from stages.recommender.reporting.collected import collect
from stages.recommender.training.leftovers import remove_leftovers


def main() -> None:
    """Run the stage."""
    params = load_params()
    collected = collect(params)
    table = assembly.results_table(collected)
    content = assembly.report(collected, table, params)
    shown = tables.models(table, ("all ndcg@10", "new ndcg@10", "all recall@10")).text()
    gained = tables.gains(gains.gains(table, assembly.HEADLINE)).text()
    against = tables.against_published(table, content.published_column).text()
    readings = [score for score in content.score_columns if score in assembly.SHOWN]
    by_reading = tables.models(table, readings).text()
    turns = tables.turn_systems(content.turn_systems).text()
    steps, lost = [], []  # nothing in a pipeline without ladder or ablation
    with artifacts.atomic_folder(artifacts.REPORT) as folder:
        if content.ladder is not None:
            steps = [tables.ladder(content.ladder).text()]
            artifacts.write_text(folder / "ladder.txt", steps[0] + "\n")
        if content.ablation is not None:
            parts = content.ablation
            artifacts.write_text(folder / "ablation.txt", tables.ablation_text(parts) + "\n")
            lost = [tables.ablation(parts, parts.score_columns[:1]).text()]
        artifacts.write_text(folder / "models.csv", tables.csv(table))
        artifacts.write_text(folder / "models.txt", shown + "\n")
        artifacts.write_text(folder / "readings.txt", by_reading + "\n")
        measured = tables.measures(table, content.measure_columns).text()
        artifacts.write_text(folder / "measures.txt", measured + "\n")
        artifacts.write_text(folder / "turn.txt", turns + "\n")
        artifacts.write_text(folder / "tests.txt", tables.paired_tests(content.tests).text() + "\n")
        artifacts.write_text(folder / "gains.txt", gained + "\n")
        artifacts.write_text(folder / "against-published.txt", against + "\n")
        artifacts.write_text(folder / "report.html", report.html(content))
        for picture in pictures.pictures(content):
            with artifacts.atomic_file(folder / f"{picture.name}.png") as partial:
                partial.write_bytes(picture.png())
    artifacts.write_json(artifacts.SUMMARY, assembly.summary(table))
    # DVC has taken down all models' results before it begins this stage
    for name in ("training", "ladder", "ablation"):
        remove_leftovers(artifacts.CACHE / name)
    print("", *steps, shown, *lost, gained, against, sep="\n\n")


if __name__ == "__main__":
    run_stage(main)
