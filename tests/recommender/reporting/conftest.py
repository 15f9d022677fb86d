"""The made-up report and its page, made once."""

import made_up_report
import pytest

from stages.recommender.reporting import report as report_module
from stages.recommender.reporting.content import Report


@pytest.fixture(scope="session")
def report() -> Report:
    return made_up_report.report()


@pytest.fixture(scope="session")
def page(report: Report) -> str:
    return report_module.html(report)
