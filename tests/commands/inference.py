"""A fine-tuning of a few steps on the small world's inference."""

import paralign

NLI = {"training": {"batch": 8, "steps": 6, "learning_rate": 2e-3, "precision": "fp32", "checkpoint_every": 5}}


def nli(base, out, **more):
    given = {
        "task": "nli",
        "train": "en=smallworld:0-60",
        "eval": ["en=smallworld:200-240", "de=smallworld:200-240"],
        "settings": NLI,
        "quiet": True,
    } | more
    return paralign.finetune(str(base), out=out, **given)
