"""Automations as code: dead runs are marked as crashed; failures and new champions are sent to a notification block.

Registering is idempotent by name: it updates each automation, and one that was switched off stays off. They watch only
the flow runs of this project's deployments, by their tag, and no others on the same server.
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
"""Three heartbeat intervals: a run without a heartbeat for this long is considered dead."""

RUNS = ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"})
OWN_TAG = ResourceSpecification({"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"})


def register(client: SyncPrefectClient) -> None:
    """Creates or updates the automations.

    Raises:
        InputError: If the notification block that the environment names does not exist.
    """
    for automation in (crash_silent_runs(), *_notifications(client)):
        existing = client.read_automations_by_name(automation.name)
        if not existing:
            client.create_automation(automation)
            continue
        # An update sends only the fields that are set, and the server does not fill in the defaults of the rest.
        plain = automation.model_dump(exclude={"owner_resource"}) | {"enabled": existing[0].enabled}
        client.update_automation(existing[0].id, AutomationCore.model_validate(plain))


def crash_silent_runs() -> AutomationCore:
    """Marks a flow run as crashed if it was killed together with the process that would have reported it."""
    finals = ("Completed", "Failed", "Cancelled", "Crashed", "Suspended", "AwaitingRetry", "AwaitingConcurrencySlot")
    # A process starts within seconds of being picked up by its worker; pulling an image, or adding a node for a
    # job, may take minutes.
    start_events = {"prefect.flow-run.Pending"} if cluster().pool_type == "process" else set()
    return AutomationCore(
        name="tuner: mark runs without heartbeat as crashed",
        description=f"A flow run that has sent no heartbeat for {SILENCE.seconds} seconds was killed.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match=RUNS,
            match_related=OWN_TAG,
            for_each={"prefect.resource.id"},
            # A run killed in its first second has not sent a heartbeat.
            after={"prefect.flow-run.Running", "prefect.flow-run.heartbeat", *start_events},
            expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{event}" for event in finals)},
            threshold=1,
            within=SILENCE,
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed",
                state=StateType.CRASHED,
                force=False,
                message="No heartbeat: the process or its machine died. Run it again; completed work is kept.",
            )
        ],
    )


def _notifications(client: SyncPrefectClient) -> list[AutomationCore]:
    block_name = cluster().notify_block
    if block_name is None:
        return []
    type_slug, name = block_name.split("/")
    try:
        block = client.read_block_document_by_name(name, type_slug).id
    except ObjectNotFound:
        raise InputError(
            f"TUNER_NOTIFY_BLOCK={block_name}: the server has no such block; create it first, in the UI under Blocks"
        ) from None
    return [
        AutomationCore(
            name="tuner: notify of failed runs",
            description="A flow run failed or crashed.",
            trigger=EventTrigger(
                match=RUNS,
                match_related=OWN_TAG,
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
