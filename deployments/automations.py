"""Automations as code: a dead run is marked crashed; failures and new champions are told to a notification block.

Idempotent by name: registering again brings each up to date, and what a person switched off stays off. They watch the
flow runs of this project's deployments, which carry its tag, and nobody else's on the same server.
"""

from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from deployments.settings import cluster
from flows.placement import TAG
from tuner.errors import InputError

SILENCE = timedelta(seconds=90)
"""Three heartbeats: a run that sends none for so long is dead."""

RUNS = ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"})
OURS = ResourceSpecification({"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"})


def register(client: SyncPrefectClient) -> None:
    """Creates or updates the automations.

    Raises:
        InputError: If the notification block that the environment names is not there.
    """
    for automation in (crash_silent_runs(), *_notifications(client)):
        there = client.read_automations_by_name(automation.name)
        if not there:
            client.create_automation(automation)
            continue
        # An update sends only what is set, and the server does not know the defaults of the rest.
        plain = automation.model_dump(exclude={"owner_resource"}) | {"enabled": there[0].enabled}
        client.update_automation(there[0].id, AutomationCore.model_validate(plain))


def crash_silent_runs() -> AutomationCore:
    """Marks a flow run as crashed that was killed together with whatever could have reported it."""
    ends = ("Completed", "Failed", "Cancelled", "Crashed", "Suspended", "AwaitingRetry", "AwaitingConcurrencySlot")
    # A process begins within seconds of being taken by its worker; an image that is pulled, or a node that is added for
    # a job, may take its minutes.
    begins = {"prefect.flow-run.Pending"} if cluster().pool_type == "process" else set()
    return AutomationCore(
        name="tuner: mark runs without heartbeat as crashed",
        description=f"A flow run that has sent no heartbeat for {SILENCE.seconds} seconds was killed.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match=RUNS,
            match_related=OURS,
            for_each={"prefect.resource.id"},
            # A run that is killed in its first second has sent no heartbeat yet.
            after={"prefect.flow-run.Running", "prefect.flow-run.heartbeat", *begins},
            expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{end}" for end in ends)},
            threshold=1,
            within=SILENCE,
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed",
                state=StateType.CRASHED,
                force=False,
                message="No heartbeat: the process or its machine died. Run it again; what is complete is kept.",
            )
        ],
    )


def _notifications(client: SyncPrefectClient) -> list[AutomationCore]:
    named = cluster().notify_block
    if named is None:
        return []
    kind, name = named.split("/")
    try:
        block = client.read_block_document_by_name(name, kind).id
    except ObjectNotFound:
        raise InputError(
            f"TUNER_NOTIFY_BLOCK={named}: the server has no such block; make it first, in the UI under Blocks"
        ) from None
    return [
        AutomationCore(
            name="tuner: notify of failed runs",
            description="A flow run failed or crashed.",
            trigger=EventTrigger(
                match=RUNS,
                match_related=OURS,
                for_each={"prefect.resource.id"},
                expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
            ),
            actions=[
                SendNotification(
                    block_document_id=block,
                    subject="{{ flow.name }} {{ flow_run.state.name | lower }}: {{ flow_run.name }}",
                    body="{{ flow_run.state.message }}\n{{ flow_run | ui_url or '' }}",
                )
            ],
        ),
        AutomationCore(
            name="tuner: notify of a new champion",
            description="Regeneration found an adapter that is better beyond the 95 % interval.",
            trigger=EventTrigger(expect={"tuner.champion.promoted"}),
            actions=[
                SendNotification(
                    block_document_id=block,
                    subject="New champion: {{ event.payload.adapter }} of {{ event.payload.run }}",
                    body="{% for key, value in event.payload.items() %}{{ key }}: {{ value }}\n{% endfor %}",
                )
            ],
        ),
    ]
