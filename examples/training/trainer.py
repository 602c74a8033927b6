"""A callback for Hugging Face's Trainer, and a small training that uses it.

`CPVCallback` takes down the training's arguments, logs what the Trainer logs, and pushes each checkpoint that
it saves. Optimizer and scheduler are left out of the model's versions where `.dvcignore` says so:
`git cpv track model --exclude 'optimizer*' --exclude 'scheduler*' --exclude 'rng_state*'`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

import cpvlib


class CPVCallback(TrainerCallback):
    """Records a training in the repository of `team/model`; `options` are those of `cpvlib.run`."""

    def __init__(self, team: str, model: str, **options: Any) -> None:
        self._names = (team, model)
        self._options = options
        self.run: cpvlib.Run | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        chosen = ("learning_rate", "num_train_epochs", "per_device_train_batch_size", "seed", "optim")
        params = {name: getattr(args, name) for name in chosen}
        self.run = cpvlib.run(*self._names, params=params, **self._options)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if self.run is not None and logs:
            self.run.log(logs, step=state.global_step)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.run is not None:
            folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
            self.run.checkpoint(folder, message=f"step {state.global_step}")

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.run is not None:
            self.run.finish()


class Counting(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Rows that count up from anywhere: what a very small model can learn."""

    def __len__(self) -> int:
        return 256

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        tokens = (torch.arange(16) + row) % 64
        return {"input_ids": tokens, "labels": tokens}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--team", default="AI-Convo")
    parser.add_argument("--model", default="counting")
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()

    model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=16, n_embd=32, n_layer=1, n_head=2))
    args = TrainingArguments(
        output_dir="runs",
        num_train_epochs=options.epochs,
        per_device_train_batch_size=32,
        learning_rate=1e-2,
        logging_steps=4,
        save_strategy="epoch",
        save_total_limit=2,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    callback = CPVCallback(options.team, options.model)
    Trainer(model=model, args=args, train_dataset=Counting(), callbacks=[callback]).train()


if __name__ == "__main__":
    main()
