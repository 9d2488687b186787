"""The tab Modeller: the versions beside each other, which one serves, and retraining."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum

import gradio as gr

from bot import texts as bot_texts
from tweetsent.errors import ModelError, NotReadyError, RunError, VersionError
from tweetsent.readiness import require_material
from tweetsent.records import ModelInfo, ModelState, ModelVersion, RunState
from tweetsent.settings import Settings
from tweetsent.ui import fragments, texts, versions
from tweetsent.ui.page import Page, Update, refusal, telling

_WATCH_SECONDS = 2.0
_RUNS_LISTED = 10
_TO_QUESTION = "() => setTimeout(() => document.getElementById('models-no')?.focus(), 100)"


class _Act(Enum):
    """What is done once it is confirmed."""

    PROMOTE = "promote"
    ROLL_BACK = "roll back"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class _Question:
    """What the owner was asked, and of what."""

    act: _Act
    number: int
    """The activation that they saw, 0 for none; of a run, its id."""
    version: str = ""


def build(page: Page) -> None:
    """Adds what is on the tab to the open `gr.Blocks`."""
    _Tab(page).listen()


class _Tab:
    """The tab's components, and what they do."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: gr.State = gr.State(None)
        self.refresh = gr.Button(texts.REFRESH, elem_id="models-refresh", size="sm")
        self.serving = gr.HTML(elem_id="serving")
        self.listed = gr.HTML(elem_id="versions")
        self.chosen = gr.Dropdown([], label=texts.CHOOSE_VERSION, elem_id="chosen-version")
        with gr.Row():
            self.promote = gr.Button(
                texts.PROMOTE, variant="primary", elem_id="promote", min_width=120
            )
            self.roll_back = gr.Button(texts.ROLL_BACK, elem_id="roll-back", min_width=120)
        self.why_not = gr.HTML(elem_id="why-not")
        self.detail = gr.HTML(elem_id="version-detail")
        gr.HTML(f"<h2>{texts.RETRAINING}</h2>")
        self.run = gr.HTML(elem_id="run")
        with gr.Row():
            self.start = gr.Button(
                texts.START_RUN, variant="primary", elem_id="run-start", min_width=120
            )
            self.stop = gr.Button(texts.STOP_RUN, elem_id="run-stop", min_width=120)
        self.runs = gr.HTML(elem_id="runs")
        with gr.Column(
            visible=False, elem_id="models-question", elem_classes="ts-question"
        ) as self.question:
            self.words = gr.HTML()
            with gr.Row():
                self.yes = gr.Button(
                    texts.CONFIRM, variant="stop", elem_id="models-yes", min_width=120
                )
                self.no = gr.Button(texts.CANCEL, elem_id="models-no", min_width=120)
        self.watch = gr.Timer(_WATCH_SECONDS, active=False)
        self.loading = gr.Timer(_WATCH_SECONDS, active=False)

    def listen(self) -> None:
        """Say which event does what."""
        of_question = [self.asked, self.question, self.words]
        of_version = [self.promote, self.roll_back, self.why_not, self.detail]
        of_run = [self.run, self.start, self.stop, self.watch, self.runs]
        of_serving = [self.serving, self.loading]
        shown = [*of_serving, self.listed, self.chosen, *of_version, *of_run]
        everything = [*of_question, *shown]
        for trigger, handler, inputs, outputs in (
            (self.refresh, self.on_show, [self.chosen], shown),
            (self.no, self.on_no, [], of_question),
            (self.yes, self.on_yes, [self.asked, self.chosen], everything),
        ):
            trigger.click(handler, inputs, outputs, api_visibility="private")
        starting = self.start.click(self.on_start, [], of_run, api_visibility="private")
        starting.failure(self.on_refused, [], of_run, api_visibility="private")
        for trigger, ask, inputs in (
            (self.promote, self.on_promote, [self.chosen]),
            (self.roll_back, self.on_roll_back, []),
            (self.stop, self.on_stop, []),
        ):
            asking = trigger.click(ask, inputs, of_question, api_visibility="private")
            asking.success(None, js=_TO_QUESTION)
        # With the choice as an input, it would be done again for each choice.
        gr.on(None, self.on_load, None, shown, api_visibility="private")
        self.chosen.input(self.on_choose, self.chosen, of_version, api_visibility="private")
        for timer, on_tick, inputs, outputs in (
            (self.watch, self.on_watch, [self.chosen], shown),
            (self.loading, self.on_loading, [], of_serving),
        ):
            tick = timer.tick(
                on_tick, inputs, outputs, show_progress="hidden", api_visibility="private"
            )
            # What is wrong is told once, not with every tick.
            tick.failure(lambda: gr.Timer(active=False), None, timer, api_visibility="private")

    async def on_load(self) -> Update:
        """The newest version is chosen."""
        return await self.on_show(None)

    async def on_show(self, chosen: str | None) -> Update:
        """All that is on the tab, as it stands now."""
        with telling(self.page):
            return await self._everything(chosen)

    async def on_choose(self, chosen: str | None) -> Update:
        """One version."""
        with telling(self.page):
            info, models = await self.page.service.model(), await self._by_name()
            return await self._version(info, models, models.get(chosen or ""))

    async def on_watch(self, chosen: str | None) -> Update:
        """The run that goes on; its end may have changed everything."""
        with telling(self.page):
            newest = await self.page.retraining.newest()
            if newest is not None and newest.state is RunState.RUNNING:
                return await self._run()
            return await self._everything(chosen)

    async def on_loading(self) -> Update:
        """Which version answers while another one is loaded in its place."""
        with telling(self.page):
            return self._serving(await self.page.service.model())

    async def on_start(self) -> AsyncIterator[Update]:
        """A run, which is watched from now on."""
        with telling(self.page):
            yield {self.start: gr.Button(texts.STARTING_RUN, interactive=False)}
            try:
                await self.page.retraining.start_or_find()
            except NotReadyError as error:
                raise refusal(bot_texts.retraining.lack(error)) from None
            except RunError as error:
                raise refusal(bot_texts.retraining.not_started(str(error))) from None
            yield await self._run()

    async def on_refused(self) -> Update:
        """What stands instead of the run that did not start."""
        with telling(self.page):
            return await self._run()

    async def on_promote(self, chosen: str | None) -> Update:
        """Whether the version shall serve in the place of the one that does."""
        with telling(self.page):
            model = (await self._by_name()).get(chosen or "")
            obstacle = _obstacle(model) if model else texts.IS_DELETED
            if model is None or obstacle:
                raise refusal(obstacle)
            info = await self.page.service.model()
            now = info.serving.activation if info.serving else None
            return self._ask(
                _Question(_Act.PROMOTE, now.id if now else 0, model.version),
                texts.promote_question(
                    model.version,
                    now.version if now else info.version,
                    was_refused=model.state is ModelState.REFUSED,
                ),
            )

    async def on_roll_back(self) -> Update:
        """Whether the version before shall serve again."""
        with telling(self.page):
            now = (await self.page.service.model()).serving
            if now is None or now.previous is None:
                raise refusal(bot_texts.models.ROLL_BACK_NOWHERE)
            return self._ask(
                _Question(_Act.ROLL_BACK, now.activation.id),
                bot_texts.models.roll_back_question(now.model.version, now.previous),
            )

    async def on_stop(self) -> Update:
        """Whether the run shall end."""
        with telling(self.page):
            run = await self.page.retraining.newest()
            if run is None or run.state is not RunState.RUNNING:
                raise refusal(texts.NO_RUN_TO_STOP)
            return self._ask(_Question(_Act.STOP, run.id), texts.stop_question(run.id))

    def on_no(self) -> Update:
        """Nothing is done."""
        return self._closed()

    async def on_yes(self, asked: _Question | None, chosen: str | None) -> Update:
        """What was asked is done, once."""
        with telling(self.page):
            if asked is not None:
                await self._act(asked)
            return self._closed() | await self._everything(chosen)

    async def _act(self, asked: _Question) -> None:
        try:
            match asked.act:
                case _Act.PROMOTE:
                    model = await self.page.service.promote(asked.version, after=asked.number)
                    gr.Info(texts.promoted(model.version))
                case _Act.ROLL_BACK:
                    model = await self.page.service.roll_back(asked.number)
                    gr.Info(bot_texts.models.rolled_back(model.version))
                case _Act.STOP:
                    is_stopped = await self.page.retraining.stop(asked.number)
                    if is_stopped:
                        gr.Info(texts.RUN_STOPPED)
                    else:
                        gr.Warning(texts.RUN_ENDED_BEFORE)
        except VersionError:  # another one was activated, or the folder was deleted
            gr.Warning(texts.MOVED_ON)
        except ModelError:
            gr.Warning(texts.DAMAGED)

    def _ask(self, question: _Question, text: str) -> Update:
        return {
            self.asked: question,
            self.question: gr.Column(visible=True),
            self.words: fragments.paragraph(text),
        }

    def _closed(self) -> Update:
        return {self.asked: None, self.question: gr.Column(visible=False)}

    async def _everything(self, chosen: str | None) -> Update:
        info = await self.page.service.model()
        models = await self._by_name()
        model = models.get(chosen or "", next(iter(models.values()), None))
        return {
            **self._serving(info),
            self.listed: versions.versions([*models.values()]),
            self.chosen: gr.Dropdown([*models], value=model.version if model else None),
            **await self._version(info, models, model),
            **await self._run(),
        }

    def _serving(self, info: ModelInfo) -> Update:
        return {
            self.serving: versions.serving(info),
            self.loading: gr.Timer(active=versions.is_loading(info)),
        }

    async def _version(
        self, info: ModelInfo, models: dict[str, ModelVersion], model: ModelVersion | None
    ) -> Update:
        """One version, and what can be done with it."""
        if model is None:
            off = gr.Button(interactive=False)
            return {self.promote: off, self.roll_back: off, self.why_not: "", self.detail: ""}
        goes_back = info.serving is not None and info.serving.previous is not None
        obstacle = _obstacle(model)
        why_not = [obstacle, "" if goes_back else bot_texts.models.ROLL_BACK_NOWHERE]
        shown = [
            versions.comparison(models.get(_beside(info, model)), model),
            versions.gate(await self.page.retraining.that_made(model.version)),
            versions.life(model, await self.page.service.activations(model.version)),
            versions.pictures(model, await self.page.service.pictures(model.version)),
        ]
        return {
            self.promote: gr.Button(interactive=not obstacle),
            self.roll_back: gr.Button(interactive=goes_back),
            self.why_not: "".join(fragments.note(why) for why in why_not if why),
            self.detail: "".join(shown),
        }

    async def _by_name(self) -> dict[str, ModelVersion]:
        """All versions, the newest first."""
        return {model.version: model for model in await self.page.service.versions()}

    async def _run(self) -> Update:
        recent = await self.page.retraining.recent(_RUNS_LISTED)
        is_running = bool(recent) and recent[0].state is RunState.RUNNING
        lack = await asyncio.to_thread(_lack, self.page.settings)
        newest = versions.run(recent[0] if recent else None)
        return {
            self.run: newest + (fragments.note(lack) if lack else ""),
            self.start: gr.Button(texts.START_RUN, interactive=not is_running and not lack),
            self.stop: gr.Button(interactive=is_running),
            self.watch: gr.Timer(active=is_running),
            self.runs: versions.runs(recent),
        }


def _beside(info: ModelInfo, model: ModelVersion) -> str:
    """The version that another is compared with: what serves, or for that one what did before."""
    if info.serving is None:
        return info.version
    serves = info.serving.model.version
    return (info.serving.previous or serves) if serves == model.version else serves


def _obstacle(model: ModelVersion) -> str:
    """Why a version can't be promoted; empty for nothing."""
    if model.deleted_at is not None:
        return texts.IS_DELETED
    return texts.SERVES_ALREADY if model.state is ModelState.ACTIVE else ""


def _lack(settings: Settings) -> str:
    """Without what no run could begin, in the words of one that is refused; empty for nothing."""
    try:
        require_material(settings)
    except NotReadyError as error:
        return bot_texts.retraining.lack(error)
    return ""
