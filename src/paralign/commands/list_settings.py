"""``paralign list settings``: every setting with its meaning, default and source, read from the settings classes."""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from paralign.analyses.base import Analysis
from paralign.analyses.probes import ProbesConfig
from paralign.analyses.table import ANALYSES
from paralign.commands.grid import GridConfig
from paralign.config import Config, did_you_mean, find_class
from paralign.corpus.check import CheckConfig
from paralign.errors import UserError
from paralign.objectives import OBJECTIVES, find_objective
from paralign.objectives.base import LayerConfig, ObjectiveConfig
from paralign.runs.finetune_settings import UNUSED, FinetuneConfig, FinetuneTraining
from paralign.runs.settings import RunConfig
from paralign.tasks.base import TASKS, TaskConfig, find_task_class
from paralign.words.base import ALIGNERS, find_aligner

__all__ = ["SettingsSection", "describe_section", "describe_sections", "settings_sections"]


@dataclass(frozen=True)
class SettingsSection:
    """A section of the settings.

    Attributes:
        prefix: what precedes a key in ``--set``: ``training``, ``task``; empty for settings outside of any section.
        name: name of the section in the list: ``training``, or the task whose ``[task]`` this is.
        commands: the commands that read it.
        config: its class.
    """

    prefix: str
    name: str
    commands: str
    config: type[Config]

    @property
    def keys(self) -> dict[str, FieldInfo]:
        """The settings; sections inside of it are sections of their own."""
        return {name: field for name, field in self.config.model_fields.items() if not _is_section(field)}

    @property
    def source(self) -> str:
        """What the class says about all its settings, such as the paper that the defaults are from."""
        own = self.config not in (ObjectiveConfig, LayerConfig, TaskConfig) and vars(self.config).get("__doc__")
        text = inspect.cleandoc(own) if own else f"Settings under ``[{self.prefix}]``."
        return " ".join(text.replace("``", "`").split())


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Config)


def settings_sections() -> list[SettingsSection]:
    """Return all sections, in the order in which commands are used."""
    both = "align, pretrain"
    sections = [SettingsSection("", "run", both, RunConfig)]
    for name, field in RunConfig.model_fields.items():
        if _is_section(field):
            commands = f"{both}, finetune, analyze ablation" if name in FinetuneConfig.model_fields else both
            others = {"data": f"{both}, corpus build, corpus check", "tokenizer": "pretrain"}
            commands = others.get(name, commands)
            sections.append(SettingsSection(name, name, commands, _class(field)))
    objectives = {find_objective(name).name: find_objective(name) for name in OBJECTIVES}
    sections += [SettingsSection(name, name, both, kind.Config) for name, kind in objectives.items()]
    sections.append(
        SettingsSection("layers", "layers", "finetune, analyze ablation", _class(FinetuneConfig.model_fields["layers"]))
    )
    tasks = [(name, find_task_class(name)) for name in TASKS]
    for name, task in tasks:
        commands = "finetune, analyze ablation, evaluate, predict" if task.trains else "evaluate"
        commands += ", predict" if name == "mining" else ""
        sections.append(SettingsSection("task", name, f"{commands} with --task {name}", task.Config))
    for name in ALIGNERS:
        sections.append(SettingsSection("words", name, f"words --method {name}", find_aligner(name).Config))
    implementations = {name: entry.implementation for name, entry in ANALYSES.items() if entry.implementation}
    for name in implementations:
        analysis = find_class("analysis", name, implementations, Analysis)
        sections.append(SettingsSection(name, name, f"analyze {name}", analysis.Config))
    sections.append(SettingsSection("probes", "probes", "analyze probes", ProbesConfig))
    sections.append(SettingsSection("check", "check", "corpus check", CheckConfig))
    sections.append(SettingsSection("grid", "grid", "grid", GridConfig))
    return [section for section in sections if section.keys]


def _class(field: FieldInfo) -> type[Config]:
    kind = field.annotation
    assert isinstance(kind, type)
    assert issubclass(kind, Config)
    return kind


def describe_sections() -> str:
    """Return one line for each section: its name, the commands that read it, the names of its settings."""
    lines = []
    for section in settings_sections():
        heading = f"[{section.prefix}]" if section.prefix else ""
        named = section.name if section.name != section.prefix else ""
        head = " ".join(filter(None, (heading or "(no section)", named)))
        lines += [f"{head:26} {section.commands}", *_wrapped(", ".join(section.keys), "    ")]
    lines += [
        "",
        "`paralign list settings NAME` explains a section or a setting, as in `training`, `ner` or `moco.queue`.",
    ]
    return "\n".join(lines)


def describe_section(name: str) -> str:
    """Return meaning, type and default of the settings of a section, or of one setting.

    Args:
        name: a section (``training``, ``moco``), a task or an aligner, or a setting such as ``moco.queue``.

    Raises:
        UserError: if there is neither.
    """
    sections = settings_sections()
    wanted = name.strip("[]")
    found = [section for section in sections if wanted in (section.name, section.prefix)]
    if found:
        return "\n\n".join("\n".join(_section_lines(section)) for section in found)
    prefix, _, key = wanted.rpartition(".")
    found = [s for s in sections if key in s.keys and (not prefix or prefix in (s.name, s.prefix))]
    if found:
        headings = [[f"[{s.prefix}] of {s.name}"] if len(found) > 1 and s.prefix != s.name else [] for s in found]
        return "\n".join(
            line
            for heading, section in zip(headings, found, strict=True)
            for line in (*heading, *_setting_lines(section, key))
        )
    names = {s.name for s in sections} | {s.prefix for s in sections if s.prefix}
    known = names | {f"{s.prefix or s.name}.{key}" for s in sections for key in s.keys}
    hint = did_you_mean(wanted, known)
    if hint.startswith("available"):
        hint = f"sections: {', '.join(sorted(names))}"
    raise UserError(f"no section or setting {name!r}", hint=hint)


def _section_lines(section: SettingsSection) -> Iterator[str]:
    head = f"[{section.prefix}]" if section.prefix else "Settings outside of sections"
    named = f" of {section.name}" if section.prefix and section.name != section.prefix else ""
    yield f"{head}{named}: {section.commands}"
    yield from _wrapped(section.source, "")
    for key in section.keys:
        yield ""
        yield from _setting_lines(section, key)


def _setting_lines(section: SettingsSection, key: str) -> Iterator[str]:
    field = section.keys[key]
    default = "required" if field.is_required() else f"default {_value(field.get_default(call_default_factory=True))}"
    if section.config is _class(RunConfig.model_fields["training"]):
        of_finetune = FinetuneTraining.model_fields[key].get_default(call_default_factory=True)
        if of_finetune != field.get_default(call_default_factory=True):
            default += f", finetune {_value(of_finetune)}"
        default += ", not for finetune" if key in UNUSED else ""
    yield f"{section.prefix + '.' if section.prefix else ''}{key}  <{_type(field)}>  {default}"
    yield from _wrapped(" ".join((field.description or "").replace("``", "`").split()), "    ")


def _wrapped(text: str, indent: str) -> list[str]:
    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    return textwrap.wrap(text, max(width, 40), initial_indent=indent, subsequent_indent=indent)


def _value(value: Any) -> str:
    if value is None or value is PydanticUndefined:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value or '""'
    return ", ".join(map(_value, value)) or "[]" if isinstance(value, list | tuple) else str(value)


def _type(field: FieldInfo) -> str:
    """The type and the limits of a setting: ``float > 0``, ``cls | mean``."""
    return " ".join([_type_name(field.annotation), _limits(field.metadata)]).strip()


def _limits(metadata: Iterable[Any]) -> str:
    limits = [
        f"{sign} {bound}"
        for constraint in metadata
        for name, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))
        if (bound := getattr(constraint, name, None)) is not None
    ]
    return ", ".join(limits)


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        kind, *fields = get_args(annotation)
        return " ".join([_type_name(kind), *(_limits(field.metadata) for field in fields)])
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, get_args(annotation)))
    if annotation is type(None):
        return "none"
    parts = get_args(annotation)
    if get_origin(annotation) in (list, tuple):
        return f"list of {_type_name(parts[0])}"
    if parts:
        return " | ".join(dict.fromkeys(map(_type_name, parts)))
    return str(getattr(annotation, "__name__", annotation))
