"""GPT-2 in numpy, forward and backward, with the tensor names and shapes of transformers' GPT2LMHeadModel.

Follows Radford et al. 2019 and transformers' `modeling_gpt2.py`: learned positions, layer norm before each
block, fused query, key and value, `gelu_new`, and an output that shares the weights of the token embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Weights = dict[str, np.ndarray]
EPSILON = 1e-5  # layer_norm_epsilon
GELU = np.float32(np.sqrt(2 / np.pi))


@dataclass(frozen=True)
class Shape:
    """The sizes that config.json names; the hidden layer of a block is 4 x `n_embd` wide."""

    vocab_size: int
    n_positions: int = 64
    n_embd: int = 64
    n_layer: int = 2
    n_head: int = 4


def fresh_weights(shape: Shape, seed: int) -> Weights:
    """GPT-2's initialisation: N(0, 0.02), each block's last projections scaled by 1 / sqrt(2 n_layer)."""
    draw = np.random.default_rng(seed)
    wide = shape.n_embd

    def normal(*sizes: int, scale: float = 0.02) -> np.ndarray:
        return draw.normal(0, scale, sizes).astype(np.float32)

    weights = {
        "transformer.wte.weight": normal(shape.vocab_size, wide),
        "transformer.wpe.weight": normal(shape.n_positions, wide),
    }
    norms = ["transformer.ln_f"]
    for layer in range(shape.n_layer):
        block = f"transformer.h.{layer}"
        norms += [f"{block}.ln_1", f"{block}.ln_2"]
        last = 0.02 / np.sqrt(2 * shape.n_layer)
        for name, n_in, n_out, scale in (
            ("attn.c_attn", wide, 3 * wide, 0.02),
            ("attn.c_proj", wide, wide, last),
            ("mlp.c_fc", wide, 4 * wide, 0.02),
            ("mlp.c_proj", 4 * wide, wide, last),
        ):
            weights[f"{block}.{name}.weight"] = normal(n_in, n_out, scale=scale)
            weights[f"{block}.{name}.bias"] = np.zeros(n_out, np.float32)
    for name in norms:
        weights[f"{name}.weight"] = np.ones(wide, np.float32)
        weights[f"{name}.bias"] = np.zeros(wide, np.float32)
    return weights


class GPT2:
    """The network over its weights. `gradients` walks its steps back, the last one first."""

    def __init__(self, shape: Shape, weights: Weights) -> None:
        self.shape = shape
        self.weights = weights
        self._slopes: Weights = {}

    def loss(self, tokens: np.ndarray) -> float:
        """The mean cross-entropy, in nats, of each next token; `tokens` is batch x length."""
        logits, _ = self._forward(tokens[:, :-1])
        return _cross_entropy(logits, tokens[:, 1:])[0]

    def gradients(self, tokens: np.ndarray) -> tuple[float, Weights]:
        """The loss and its slope by every weight."""
        inputs, targets = tokens[:, :-1], tokens[:, 1:]
        logits, back = self._forward(inputs)
        loss, slope = _cross_entropy(logits, targets)
        self._slopes = {name: np.zeros_like(value) for name, value in self.weights.items()}
        for step in reversed(back):
            slope = step(slope)
        return loss, self._slopes

    def _forward(self, tokens: np.ndarray):
        embedding = self.weights["transformer.wte.weight"]
        x = embedding[tokens] + self.weights["transformer.wpe.weight"][: tokens.shape[1]]
        back = [lambda slope: self._embed_back(tokens, slope)]
        for layer in range(self.shape.n_layer):
            block = f"transformer.h.{layer}"
            for part, body in ((f"{block}.ln_1", self._attention), (f"{block}.ln_2", self._mlp)):
                normed, norm_back = self._norm(part, x)
                change, body_back = body(block, normed)
                x = x + change
                back.append(lambda slope, n=norm_back, b=body_back: slope + n(b(slope)))
        x, norm_back = self._norm("transformer.ln_f", x)
        back.append(norm_back)
        back.append(lambda slope: self._output_back(x, slope))
        return x @ embedding.T, back

    def _embed_back(self, tokens: np.ndarray, slope: np.ndarray) -> np.ndarray:
        np.add.at(self._slopes["transformer.wte.weight"], tokens, slope)
        self._slopes["transformer.wpe.weight"][: tokens.shape[1]] += slope.sum(axis=0)
        return slope

    def _output_back(self, x: np.ndarray, slope: np.ndarray) -> np.ndarray:
        embedding = self.weights["transformer.wte.weight"]
        self._slopes["transformer.wte.weight"] += _flat(slope).T @ _flat(x)
        return slope @ embedding

    def _linear(self, name: str, x: np.ndarray):
        weight = self.weights[f"{name}.weight"]

        def back(slope: np.ndarray) -> np.ndarray:
            self._slopes[f"{name}.weight"] += _flat(x).T @ _flat(slope)
            self._slopes[f"{name}.bias"] += _flat(slope).sum(axis=0)
            return slope @ weight.T

        return x @ weight + self.weights[f"{name}.bias"], back

    def _norm(self, name: str, x: np.ndarray):
        weight = self.weights[f"{name}.weight"]
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
        unit = centred / spread

        def back(slope: np.ndarray) -> np.ndarray:
            self._slopes[f"{name}.weight"] += _flat(slope * unit).sum(axis=0)
            self._slopes[f"{name}.bias"] += _flat(slope).sum(axis=0)
            inner = slope * weight
            along = (inner * unit).mean(axis=-1, keepdims=True)
            return (inner - inner.mean(axis=-1, keepdims=True) - unit * along) / spread

        return unit * weight + self.weights[f"{name}.bias"], back

    def _attention(self, block: str, x: np.ndarray):
        batch, length, wide = x.shape
        heads, each = self.shape.n_head, wide // self.shape.n_head
        fused, fused_back = self._linear(f"{block}.attn.c_attn", x)
        query, key, value = fused.reshape(batch, length, 3, heads, each).transpose(2, 0, 3, 1, 4)
        scale = np.float32(1 / np.sqrt(each))
        scores = query @ key.swapaxes(2, 3) * scale
        scores = np.where(np.tri(length, dtype=bool), scores, np.float32(-1e9))
        weights = _softmax(scores)
        mixed = (weights @ value).transpose(0, 2, 1, 3).reshape(x.shape)
        out, out_back = self._linear(f"{block}.attn.c_proj", mixed)

        def back(slope: np.ndarray) -> np.ndarray:
            inner = out_back(slope).reshape(batch, length, heads, each).transpose(0, 2, 1, 3)
            on_weights = inner @ value.swapaxes(2, 3)
            on_scores = weights * (on_weights - (on_weights * weights).sum(axis=-1, keepdims=True)) * scale
            parts = [on_scores @ key, on_scores.swapaxes(2, 3) @ query, weights.swapaxes(2, 3) @ inner]
            return fused_back(np.stack(parts).transpose(1, 3, 0, 2, 4).reshape(batch, length, 3 * wide))

        return out, back

    def _mlp(self, block: str, x: np.ndarray):
        hidden, hidden_back = self._linear(f"{block}.mlp.c_fc", x)
        bent = np.tanh(GELU * (hidden + 0.044715 * hidden**3))
        out, out_back = self._linear(f"{block}.mlp.c_proj", 0.5 * hidden * (1 + bent))

        def back(slope: np.ndarray) -> np.ndarray:
            steep = 0.5 * (1 + bent) + 0.5 * hidden * (1 - bent**2) * GELU * (1 + 3 * 0.044715 * hidden**2)
            return hidden_back(out_back(slope) * steep)

        return out, back


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, x.shape[-1])


def _softmax(scores: np.ndarray) -> np.ndarray:
    odds = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def _cross_entropy(logits: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    slope = _softmax(logits)
    at = (*np.indices(targets.shape), targets)
    loss = -np.log(slope[at] + 1e-12).mean()
    slope[at] -= 1
    return float(loss), slope / targets.size
