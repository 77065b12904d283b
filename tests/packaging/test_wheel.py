"""The wheel: exactly our packages, every template, catalogue and asset, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.protocols import ROOT

PACKAGES = {"analysis", "data_schema", "evaluation", "notebooks", "randomisation", "reports"}

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def shipped(package: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith(".pyc")
    }


def test_the_wheel_holds_six_packages_and_every_file_of_theirs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in names} == PACKAGES
    expected = set().union(*(shipped(package) for package in PACKAGES))
    assert names == expected
    for package in PACKAGES:
        assert f"{package}/py.typed" in names
    for needed in ("notebooks/templates/evidence_summary.ipynb", "evaluation/templates/crocoos/trial.toml"):
        assert needed in names


def test_the_installed_wheel_answers_from_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """Installed beside this environment's dependencies, so that only our own files are new."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, system_site_packages=False)
    site = next((home / "lib").glob("python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    elsewhere = [path for path in sys.path if path.endswith("site-packages")]
    (site / "others.pth").write_text("\n".join(elsewhere), encoding="utf-8")
    code = (
        "import evaluation, sys; from importlib.metadata import entry_points; "
        "print(evaluation.__file__); sys.argv = ['crocoos', '--version']; "
        "entry_points(group='console_scripts')['crocoos'].load()()"
    )
    answer = subprocess.run(
        [str(home / "bin" / "python"), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[0].startswith(str(site))
    assert "crocoos" in answer.stdout.splitlines()[1]
