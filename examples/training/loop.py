"""A training loop that is recorded while it runs, with numpy alone.

Fits a line to points. After every epoch the weights are saved and pushed in the background; the loop goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import cpvlib


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--team", default="AI-Convo")
    parser.add_argument("--model", default="line")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--branch", help="push onto this branch, as trainings do that share one clone")
    args = parser.parse_args()

    draw = np.random.default_rng(1)
    x = draw.uniform(-1, 1, 512)
    y = 3 * x + 1 + draw.normal(0, 0.1, 512)
    slope, offset = np.zeros(2)

    params = {"epochs": args.epochs, "rate": args.rate}
    with cpvlib.run(args.team, args.model, params=params, branch=args.branch) as run:
        step = 0
        for epoch in range(args.epochs):
            for rows in np.split(draw.permutation(512), 16):
                error = slope * x[rows] + offset - y[rows]
                slope -= args.rate * (error * x[rows]).mean()
                offset -= args.rate * error.mean()
                step += 1
                run.log(step=step, loss=(error**2).mean())
            loss = ((slope * x + offset - y) ** 2).mean()
            run.log(step=step, epoch=epoch, eval={"loss": loss})
            place = Path("runs", f"epoch_{epoch}.npy")
            place.parent.mkdir(exist_ok=True)
            np.save(place, np.array([slope, offset]))
            run.checkpoint(place, message=f"epoch {epoch}: loss {loss:.4f}")


if __name__ == "__main__":
    main()
