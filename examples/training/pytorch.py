"""The same in PyTorch, on one process or several (torchrun --nproc-per-node 2 pytorch.py): rank 0 records.

SIGTERM, with which Slurm and Kubernetes announce the end, becomes an exit: what is being pushed is completed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import cpvlib


def points(count: int) -> TensorDataset:
    """Points in a square; those inside of a circle are labelled 1."""
    draw = torch.Generator().manual_seed(1)
    x = torch.rand(count, 2, generator=draw) * 4 - 2
    return TensorDataset(x, ((x**2).sum(1) < 2).long())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--team", default="AI-Convo")
    parser.add_argument("--model", default="circle")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1e-2)
    parser.add_argument("--branch", help="push onto this branch, as trainings do that share one clone")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if several:
        torch.distributed.init_process_group("gloo")
    torch.manual_seed(1)
    net: nn.Module = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
    model = nn.parallel.DistributedDataParallel(net) if several else net
    data = points(2048)
    sampler = DistributedSampler(data) if several else None
    loader = DataLoader(data, batch_size=64, shuffle=sampler is None, sampler=sampler)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.rate)

    params = {"epochs": args.epochs, "rate": args.rate, "optimizer": "Adam"}
    with cpvlib.run(args.team, args.model, params=params, branch=args.branch) as run:
        step = 0
        for epoch in range(args.epochs):
            if sampler is not None:
                sampler.set_epoch(epoch)
            for x, labels in loader:
                loss = nn.functional.cross_entropy(model(x), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
                run.log(step=step, loss=loss)
            with torch.no_grad():
                right = (net(data.tensors[0]).argmax(1) == data.tensors[1]).float().mean()
            run.log(step=step, epoch=epoch, accuracy=right)
            if run.is_recording:
                place = Path("runs", f"epoch_{epoch}.pt")
                place.parent.mkdir(exist_ok=True)
                torch.save(net.state_dict(), place)
                run.checkpoint(place)
    if several:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
