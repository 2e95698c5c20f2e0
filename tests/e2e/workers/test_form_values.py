"""Invalid values in a deployment's form are refused at once."""

import json
from typing import Any

import pytest

from tests.e2e.workers.cluster import Cluster
from tests.rest import RefusedError

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    "wrong", [{"rows": 0}, {"quality": 1.5}, {"recipe": "quick"}, {"from_stage": "trian"}, {"overrides": "seed=1"}]
)
def test_a_value_out_of_bounds_is_refused_by_the_form(cluster: Cluster, wrong: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as refused:
        cluster.trigger("pipeline", **wrong)
    assert 400 <= refused.value.status < 500
    assert next(iter(wrong)) in json.loads(refused.value.body)["detail"]
