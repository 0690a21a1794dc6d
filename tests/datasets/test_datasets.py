"""The embedded tables: their convention, their published totals, and that the wheel carries them."""

import importlib
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from statsmodels.datasets.utils import Dataset

from statsmodels_mcla import datasets

ROOT = Path(__file__).resolve().parents[2]

COLUMNS = {
    "salamander": ["Season", "Experiment", "TypeF", "TypeM", "Cross", "Female", "Male", "Mate"],
    "bacteria": ["y", "ap", "hilo", "week", "ID", "trt"],
    "cbpp": ["herd", "incidence", "size", "period"],
    "epil": ["y", "trt", "base", "age", "V4", "subject", "period", "lbase", "lage"],
    "toenail": ["patientID", "outcome", "treatment", "time", "visit"],
    "sleepstudy": ["Reaction", "Days", "Subject"],
}
ROWS = {"salamander": 360, "bacteria": 220, "cbpp": 56, "epil": 236, "toenail": 1908, "sleepstudy": 180}
RESPONSE = {
    "salamander": "Mate",
    "bacteria": "y",
    "cbpp": "incidence",
    "epil": "y",
    "toenail": "outcome",
    "sleepstudy": "Reaction",
}


def frame(name: str) -> pd.DataFrame:
    return getattr(datasets, name).load_pandas().data


def test_every_data_set_is_tested():
    assert sorted(datasets.__all__) == sorted(COLUMNS)


@pytest.mark.parametrize("name", COLUMNS)
def test_statsmodels_convention(name):
    module = importlib.import_module(f"statsmodels_mcla.datasets.{name}")
    for text in ("COPYRIGHT", "TITLE", "SOURCE", "DESCRSHORT", "DESCRLONG", "NOTE"):
        assert getattr(module, text).strip()
    for load in (module.load, module.load_pandas):
        dataset = load()
        assert isinstance(dataset, Dataset)
        assert dataset.names == list(dataset.data.columns) == COLUMNS[name]
        assert dataset.endog_name == dataset.endog.name == RESPONSE[name]
        assert dataset.exog_name == [c for c in COLUMNS[name] if c != RESPONSE[name]]
        pd.testing.assert_frame_equal(dataset.exog, dataset.data[dataset.exog_name])


@pytest.mark.parametrize("name", COLUMNS)
def test_rows_complete_and_described(name):
    data = frame(name)
    assert len(data) == ROWS[name]
    assert not data.isna().any(axis=None)
    note = getattr(datasets, name).NOTE
    assert f"Number of Observations - {ROWS[name]}" in note
    assert f"Number of Variables - {len(COLUMNS[name])}" in note
    for column in COLUMNS[name]:
        assert f" {column} " in note


@pytest.mark.parametrize("name", COLUMNS)
def test_each_load_is_a_fresh_copy(name):
    module = getattr(datasets, name)
    first = module.load_pandas()
    first.data.iloc[:, 0] = first.data.iloc[0, 0]
    first.endog.iloc[:] = first.endog.iloc[0]
    again = module.load_pandas()
    assert not again.data.iloc[:, 0].equals(first.data.iloc[:, 0])
    assert not again.endog.equals(first.endog)


@pytest.mark.parametrize(
    ("name", "column"),
    [("cbpp", "herd"), ("cbpp", "period"), ("toenail", "patientID"), ("sleepstudy", "Subject")],
)
def test_identifiers_are_strings(name, column):
    assert all(isinstance(value, str) and value.isdigit() for value in frame(name)[column])


def test_salamander_matings_of_each_cross():
    data = frame("salamander")
    matings = data.groupby("Cross")["Mate"].agg(["sum", "count"])
    assert matings["count"].tolist() == [90, 90, 90, 90]
    assert matings["sum"].to_dict() == {"R/R": 60, "R/W": 50, "W/R": 19, "W/W": 60}
    assert (data["Cross"] == data["TypeF"] + "/" + data["TypeM"]).all()


def test_salamander_has_six_groups_of_twenty_animals():
    data = frame("salamander")
    assert data["Female"].nunique() == data["Male"].nunique() == 60
    # scipy 1.11 finds no components where the indices are 64-bit
    females, males = (data[sex].to_numpy(np.int32) - 1 for sex in ("Female", "Male"))
    pairs = csr_array((np.ones(len(data)), (females, 60 + males)), shape=(120, 120))
    groups, label = connected_components(pairs, directed=False)
    assert groups == 6
    assert np.bincount(label).tolist() == [20] * 6
    assert np.bincount(label[females]).tolist() == [60] * 6
    assert (data.groupby(["Female", "TypeM"]).size() == 3).all()


def test_bacteria_counts_by_treatment():
    data = frame("bacteria")
    present = pd.crosstab(data["trt"], data["y"])
    assert present["y"].to_dict() == {"drug": 44, "drug+": 49, "placebo": 84}
    assert present["n"].to_dict() == {"drug": 18, "drug+": 13, "placebo": 12}
    assert data["ID"].nunique() == 50
    assert sorted(data["week"].unique()) == [0, 2, 4, 6, 11]


def test_cbpp_cases_and_animals_by_period():
    data = frame("cbpp")
    totals = data.groupby("period")[["incidence", "size"]].sum()
    assert totals["incidence"].to_dict() == {"1": 61, "2": 17, "3": 14, "4": 7}
    assert totals["size"].to_dict() == {"1": 278, "2": 212, "3": 197, "4": 155}
    assert data["herd"].nunique() == 15
    assert (data["incidence"] <= data["size"]).all()


def test_epil_seizures_by_treatment():
    data = frame("epil")
    assert data.groupby("trt")["y"].sum().to_dict() == {"placebo": 961, "progabide": 987}
    assert data.groupby("trt")["subject"].nunique().to_dict() == {"placebo": 28, "progabide": 31}
    patients = data.drop_duplicates("subject")
    for log, raw in (("lbase", "base"), ("lage", "age")):
        centred = np.log(patients[raw]) - np.log(patients[raw]).mean()
        np.testing.assert_allclose(patients[log], centred, rtol=0, atol=1e-12)


def test_toenail_outcomes_by_treatment():
    data = frame("toenail")
    severe = data["outcome"] == "moderate or severe"
    assert severe.groupby(data["treatment"]).sum().to_dict() == {"itraconazole": 214, "terbinafine": 194}
    patients = data.groupby("treatment")["patientID"].nunique()
    assert patients.to_dict() == {"itraconazole": 146, "terbinafine": 148}
    assert set(data.loc[~severe, "outcome"]) == {"none or mild"}


def test_sleepstudy_is_balanced():
    data = frame("sleepstudy")
    assert (data.groupby("Subject")["Days"].apply(sorted).map(tuple) == tuple(range(10))).all()
    assert data["Reaction"].mean() == pytest.approx(298.5079, abs=5e-5)


def test_loading_opens_no_socket():
    # audit hooks cannot be removed, hence the process of its own
    program = """
import sys
import statsmodels_mcla.datasets as datasets

def refuse(event, args):
    if event.startswith(("socket.", "urllib.", "http.")):
        raise AssertionError(event)

sys.addaudithook(refuse)
for name in datasets.__all__:
    getattr(datasets, name).load()
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_wheel_carries_the_tables(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("statsmodels_mcla-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name in COLUMNS:
            path = f"statsmodels_mcla/datasets/{name}/{name}.csv"
            assert archive.read(path) == (ROOT / path).read_bytes()
    assert "statsmodels_mcla/py.typed" in names
    assert not any(name.startswith("tests/") for name in names)
