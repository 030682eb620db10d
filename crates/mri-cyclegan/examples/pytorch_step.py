"""The workloads of bench_step.rs in PyTorch: the same networks, losses, pools and Adam, one line of JSON.

    python pytorch_step.py W1 --batch 16 --device cuda --precision bf16 --mode compile

f32 convolutions may use TF32 on CUDA, PyTorch's default; bf16 is autocast. A run is one step on the CPU and 20 steps on
CUDA, waited for at their end. Medians of --runs after --warm-up.
"""
import argparse
import itertools
import json
import random
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

WORKLOADS = {"W1": ("unet", 8, 64, 256), "W2": ("unet", 7, 32, 128), "W3": ("resnet", 6, 64, 256)}


def norm(channels):
    return nn.InstanceNorm2d(channels, affine=True)


class UNet(nn.Module):
    def __init__(self, depth, width):
        super().__init__()
        channels = [width * 2 ** min(i, 3) for i in range(depth)]
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in zip([1] + channels, channels))
        inner = range(1, depth - 1)
        self.down_norm = nn.ModuleList(norm(channels[i]) if i in inner else nn.Identity() for i in range(depth))
        joined = [channels[-1]] + [2 * c for c in channels[-2::-1]]
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in zip(joined, channels[-2::-1]))
        self.up_norm = nn.ModuleList(norm(c) for c in channels[-2::-1])
        self.last = nn.ConvTranspose2d(2 * channels[0], 1, 4, 2, 1)

    def forward(self, x):
        seen = []
        for conv, normalize in zip(self.down, self.down_norm):
            x = F.leaky_relu(normalize(conv(x)), 0.2)
            seen.append(x)
        for conv, normalize, skip in zip(self.up, self.up_norm, seen[-2::-1]):
            x = torch.cat([F.relu(normalize(conv(x))), skip], 1)
        return torch.tanh(self.last(x))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        half = lambda: [nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), norm(c)]
        self.body = nn.Sequential(*half(), nn.ReLU(), *half())

    def forward(self, x):
        return x + self.body(x)


def resnet(blocks, width):
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(1, width, 7), norm(width), nn.ReLU()]
    for c in (width, 2 * width):
        layers += [nn.Conv2d(c, 2 * c, 3, 2, 1), norm(2 * c), nn.ReLU()]
    layers += [Block(4 * width) for _ in range(blocks)]
    for c in (4 * width, 2 * width):
        layers += [nn.ConvTranspose2d(c, c // 2, 3, 2, 1, 1), norm(c // 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 1, 7), nn.Tanh())


def patch_gan(width):
    layers = [nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for c, stride in ((width, 2), (2 * width, 2), (4 * width, 1)):
        layers += [nn.Conv2d(c, 2 * c, 4, stride, 1), norm(2 * c), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))


class Pool:
    def __init__(self, capacity=50):
        self.capacity, self.images = capacity, []

    def __call__(self, batch):
        answer = []
        for image in batch.split(1):
            if len(self.images) < self.capacity:
                self.images.append(image)
            elif random.random() < 0.5:
                place = random.randrange(self.capacity)
                image, self.images[place] = self.images[place], image
            answer.append(image)
        return torch.cat(answer)


class CycleGan:
    def __init__(self, workload, device, mode):
        kind, depth, width, self.size = WORKLOADS[workload]
        generator = lambda: UNet(depth, width) if kind == "unet" else resnet(depth, width)
        networks = [generator(), generator(), patch_gan(width), patch_gan(width)]
        for module in itertools.chain.from_iterable(n.modules() for n in networks):
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, 0, 0.02)
                nn.init.zeros_(module.bias)
        networks = [n.to(device) for n in networks]
        adam = lambda pair: torch.optim.Adam(
            itertools.chain.from_iterable(n.parameters() for n in pair), 2e-4, (0.5, 0.999), fused=device == "cuda"
        )
        self.generator_adam, self.judge_adam = adam(networks[:2]), adam(networks[2:])
        if mode == "compile":
            networks = [torch.compile(n) for n in networks]
        self.ab, self.ba, self.judge_a, self.judge_b = networks
        self.pools = Pool(), Pool()

    def step(self, a, b):
        square = lambda scores, target: ((scores - target) ** 2).mean()
        for judge in (self.judge_a, self.judge_b):
            judge.requires_grad_(False)
        fake_b, fake_a = self.ab(a), self.ba(b)
        loss = square(self.judge_b(fake_b).float(), 1) + square(self.judge_a(fake_a).float(), 1)
        loss = loss + 10 * (F.l1_loss(self.ba(fake_b), a) + F.l1_loss(self.ab(fake_a), b))
        loss = loss + 5 * (F.l1_loss(self.ba(a), a) + F.l1_loss(self.ab(b), b))
        self.generator_adam.zero_grad()
        loss.backward()
        self.generator_adam.step()
        for judge in (self.judge_a, self.judge_b):
            judge.requires_grad_(True)
        judged = 0.0
        for judge, real, fake, pool in zip((self.judge_a, self.judge_b), (a, b), (fake_a, fake_b), self.pools):
            judged = judged + 0.5 * (square(judge(real).float(), 1) + square(judge(pool(fake.detach())).float(), 0))
        self.judge_adam.zero_grad()
        judged.backward()
        self.judge_adam.step()
        return loss.detach(), judged.detach()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--mode", choices=("eager", "compile"), default="eager")
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    torch.manual_seed(0)
    random.seed(0)
    model = CycleGan(args.workload, args.device, args.mode)
    image = lambda: torch.rand(args.batch, 1, model.size, model.size, device=args.device) * 2 - 1
    a, b = image(), image()
    on_cuda = args.device == "cuda"
    wait = torch.cuda.synchronize if on_cuda else lambda: None

    def median_s(work):
        seconds, times = [], 20 if on_cuda else 1
        for _ in range(args.warm_up + args.runs):
            wait()
            start = time.perf_counter()
            for _ in range(times):
                work()
            wait()
            seconds.append((time.perf_counter() - start) / times)
        return statistics.median(seconds[args.warm_up :])

    with torch.autocast(args.device, torch.bfloat16, enabled=args.precision == "bf16"):
        step_s = median_s(lambda: model.step(a, b))
        with torch.no_grad():
            forward_s = median_s(lambda: model.ab(a))
    peak_mib = torch.cuda.max_memory_allocated() >> 20 if on_cuda else None
    print(json.dumps({"step_s": round(step_s, 6), "forward_s": round(forward_s, 6), "peak_mib": peak_mib}))


if __name__ == "__main__":
    main()
