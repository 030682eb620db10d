"""Writes goldens.json: what PyTorch computes for small inputs, forward and backward. Run: python goldens.py"""
import json, os
import numpy as np, torch, torch.nn.functional as F

def noise(seed, *shape):
    """The values of tests/data/mod.rs."""
    with np.errstate(over="ignore"):
        i = np.arange(int(np.prod(shape)), dtype=np.uint64)
        z = (np.uint64(seed << 40) ^ i) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    v = (z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)
    return torch.tensor(v.reshape(shape), requires_grad=True)

def case(y, *inputs):
    direction = noise(99, *y.shape) if y.dim() else torch.tensor(1.)
    (y * direction.detach()).sum().backward()
    flat = lambda t: [float(f"{v:.7g}") for v in t.detach().flatten().tolist()]
    return {"shape": list(y.shape), "output": flat(y), "gradients": [flat(i.grad) for i in inputs]}

x, w, b = noise(1, 2, 3, 7, 6), noise(2, 4, 3, 4, 4), noise(3, 4)
out = {"conv2d": case(F.conv2d(x, w, b, 2, 1), x, w, b)}
x, w, b = noise(1, 2, 3, 4, 5), noise(2, 3, 2, 3, 3), noise(3, 2)
out["conv_transpose2d"] = case(F.conv_transpose2d(x, w, b, 2, 1, 1), x, w, b)
x, w, b = noise(1, 1, 3, 6, 9), noise(2, 2, 3, 3, 3), noise(3, 2)
out["conv2d_3x3"] = case(F.conv2d(x, w, b, 1, 0), x, w, b)
x, w, b = noise(1, 2, 3, 5, 4), noise(2, 3), noise(3, 3)
out["instance_norm_leaky_relu"] = case(F.leaky_relu(F.instance_norm(x, weight=w, bias=b, eps=1e-5), .2), x, w, b)
x = noise(1, 1, 2, 4, 5)
out["reflection_pad2d"] = case(F.pad(x, (1, 2, 3, 0), mode="reflect"), x)
x = noise(1, 2, 1, 3, 5)
out["mse"] = case(F.mse_loss(x, torch.full_like(x, .9)), x)
x = noise(1, 2, 1, 3, 5)
out["bce_with_logits"] = case(F.binary_cross_entropy_with_logits(x, torch.full_like(x, .9)), x)
x, y = noise(1, 2, 1, 3, 5), noise(2, 2, 1, 3, 5)
out["l1"] = case(F.l1_loss(x, y), x, y)
x = noise(1, 2, 1, 3, 5)
out["tanh"] = case(torch.tanh(x), x)
with open(os.path.join(os.path.dirname(__file__), "goldens.json"), "w") as f:
    json.dump(out, f, indent=None, separators=(",", ":")); f.write("\n")
