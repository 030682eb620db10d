"""Golden values of narrow networks from PyTorch: weights, inputs, outputs, and the gradients of sum(output * probe).

   python make.py          writes unet.safetensors, resnet.safetensors, patchgan.safetensors, tone.safetensors here

Needs torch and numpy. Tensor names are mri-unet's; 'x', 'y', 'probe' and 'gradient.NAME' stand beside them.
"""
import json, pathlib, struct
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F

HERE = pathlib.Path(__file__).parent


def save(name, tensors):
    header, body = {}, b""
    for key, value in sorted(tensors.items()):
        data = np.ascontiguousarray(value.detach().numpy(), dtype="<f4").tobytes()
        header[key] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    (HERE / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)


def norm(channels):
    return nn.InstanceNorm2d(channels, affine=True)


def layer(conv, channels):
    return nn.ModuleDict({"conv": conv, "norm": norm(channels) if channels else nn.Identity()})


class UNet(nn.Module):
    def __init__(self, depth, width):
        super().__init__()
        c = [min(width * 2**i, 8 * width) for i in range(depth)]
        self.down = nn.ModuleList(
            layer(nn.Conv2d(([1] + c)[i], c[i], 4, 2, 1), c[i] if 0 < i < depth - 1 else 0) for i in range(depth)
        )
        up, c_in = [], c[-1]
        for i in range(depth - 2, -1, -1):
            up.append(layer(nn.ConvTranspose2d(c_in, c[i], 4, 2, 1), c[i]))
            c_in = 2 * c[i]
        self.up = nn.ModuleList(up)
        self.last = nn.ModuleDict({"conv": nn.ConvTranspose2d(c_in, 1, 4, 2, 1)})

    def logits(self, x):
        seen = []
        for l in self.down:
            x = F.leaky_relu(l["norm"](l["conv"](x)), 0.2)
            seen.append(x)
        seen.pop()
        for l in self.up:
            x = torch.cat([F.relu(l["norm"](l["conv"](x))), seen.pop()], 1)
        return self.last["conv"](x)

    def forward(self, x):
        return torch.tanh(self.logits(x))


class ResNet(nn.Module):
    """Up-sampling by nearest neighbour and a 3x3 convolution with resize=True."""

    def __init__(self, width, blocks, resize=False):
        super().__init__()
        w, self.resize = width, resize
        self.first = layer(nn.Conv2d(1, w, 7), w)
        self.down = nn.ModuleList(layer(nn.Conv2d(c, 2 * c, 3, 2, 1), 2 * c) for c in (w, 2 * w))
        self.block = nn.ModuleList(
            nn.ModuleDict({"conv1": nn.Conv2d(4 * w, 4 * w, 3), "norm1": norm(4 * w),
                           "conv2": nn.Conv2d(4 * w, 4 * w, 3), "norm2": norm(4 * w)}) for _ in range(blocks)
        )
        up = (lambda c: nn.Conv2d(c, c // 2, 3, 1, 1)) if resize else (lambda c: nn.ConvTranspose2d(c, c // 2, 3, 2, 1, 1))
        self.up = nn.ModuleList(layer(up(c), c // 2) for c in (4 * w, 2 * w))
        self.last = nn.ModuleDict({"conv": nn.Conv2d(w, 1, 7)})

    def forward(self, x):
        pad = lambda x, n: F.pad(x, (n,) * 4, mode="reflect")
        x = F.relu(self.first["norm"](self.first["conv"](pad(x, 3))))
        for l in self.down:
            x = F.relu(l["norm"](l["conv"](x)))
        for b in self.block:
            y = F.relu(b["norm1"](b["conv1"](pad(x, 1))))
            x = x + b["norm2"](b["conv2"](pad(y, 1)))
        for l in self.up:
            if self.resize:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = F.relu(l["norm"](l["conv"](x)))
        return torch.tanh(self.last["conv"](pad(x, 3)))


class PatchGan(nn.Module):
    def __init__(self, width):
        super().__init__()
        w = width
        self.layer = nn.ModuleList([
            layer(nn.Conv2d(1, w, 4, 2, 1), 0), layer(nn.Conv2d(w, 2 * w, 4, 2, 1), 2 * w),
            layer(nn.Conv2d(2 * w, 4 * w, 4, 2, 1), 4 * w), layer(nn.Conv2d(4 * w, 8 * w, 4, 1, 1), 8 * w),
        ])
        self.last = nn.ModuleDict({"conv": nn.Conv2d(8 * w, 1, 4, 1, 1)})

    def forward(self, x):
        for l in self.layer:
            x = F.leaky_relu(l["norm"](l["conv"](x)), 0.2)
        return self.last["conv"](x)


class Tone(nn.Module):
    def __init__(self, network, knots=33):
        super().__init__()
        x = torch.linspace(-1, 1, knots)
        self.network, self.knots = network, nn.Parameter(torch.where(x > -0.94, -0.9 * x, x))

    def forward(self, x):
        n = len(self.knots)
        u = (x.clamp(-1, 1) + 1) / 2 * (n - 1)
        i = u.floor().clamp(0, n - 2).long()
        tone = torch.lerp(self.knots[i], self.knots[i + 1], u - i)
        return torch.tanh(torch.atanh((0.98 * tone).clamp(-0.98, 0.98)) + self.network.logits(x))


def golden(name, network, shape, gain=1.0):
    x = torch.randn(shape).clamp(-1, 1)
    if isinstance(network, Tone):
        x[:, :, :4] = -1  # air, exactly on the first knot and on the clamp
    for p in network.parameters():  # nothing at its default, so that no layer can be left out unnoticed
        if p.ndim > 1:
            nn.init.normal_(p, 0, gain / (p[0].numel() ** 0.5))
        elif not (isinstance(network, Tone) and p is network.knots):
            p.data += 0.2 * torch.randn_like(p)
    start = network.knots.detach().clone() if isinstance(network, Tone) else None
    if start is not None:
        network.knots.data += 0.05 * torch.randn_like(start)
    x.requires_grad_()
    y = network(x)
    probe = torch.randn_like(y)
    (y * probe).sum().backward()
    tensors = {"x": x, "y": y, "probe": probe, "gradient.x": x.grad}
    for key, p in network.named_parameters():
        value = p - start if key == "knots" else p  # mri-unet stores how far each knot has moved
        key = "tone.knots" if key == "knots" else key.removeprefix("network.")
        tensors[key], tensors["gradient." + key] = value, p.grad
    save(name, tensors)


torch.manual_seed(20)
golden("unet", UNet(4, 3), (2, 1, 32, 48))
golden("resnet", ResNet(3, 2), (2, 1, 20, 16))
golden("resnet_resize", ResNet(3, 1, resize=True), (1, 1, 16, 12))
golden("patchgan", PatchGan(3), (2, 1, 40, 33))
golden("tone", Tone(UNet(2, 3)), (2, 1, 16, 12))
