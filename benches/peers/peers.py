"""The alternatives, each the fastest honest form that a good user would write: float32, the same
data, the same threads, compilation excluded. Prints a table of milliseconds per step.

Usage: peers.py DIR, where DIR holds for each case m-n-d the files that run.sh made with widefield:
case.npz (X, y, w, a) and after.npz (f after STEPS steps), and steps.json with widefield's own times.
Every peer must reach the same predictions first.
"""

import json
import os
import sys
import time

import numpy as np

STEPS, ETA = 5, 1e-3


def softmin_residual(xp, f, y):
    u = y * f
    p = xp.exp(u.min() - u)
    return -y * p / p.sum()


def numpy_peer(X, y, w, a):
    n, m = len(y), len(a)

    def step(w, a):
        z = X @ w.T
        s = np.maximum(z, 0)
        g = softmin_residual(np, s @ a / np.float32(m), y)
        act = (z > 0) * g[:, None]
        G = act.T @ X
        return w - np.float32(ETA) * a[:, None] * G, a - np.float32(ETA) * (w * G).sum(1)

    def run(k, w, a):
        for _ in range(k):
            w, a = step(w, a)
        return w, a

    return run


def jax_peer(X, y, w, a):
    import jax
    import jax.numpy as jnp

    m = len(a)
    X, y = jnp.asarray(X), jnp.asarray(y)

    def step(_, state):
        w, a = state
        z = X @ w.T
        g = softmin_residual(jnp, jnp.maximum(z, 0) @ a / m, y)
        G = jnp.where(z > 0, g[:, None], 0).T @ X
        return w - ETA * a[:, None] * G, a - ETA * (w * G).sum(1)

    loop = jax.jit(lambda k, w, a: jax.lax.fori_loop(0, k, step, (w, a)))
    return lambda k, w, a: jax.block_until_ready(loop(k, w, a))


def numba_peer(X, y, w, a):
    import numba

    n, d = X.shape
    m = len(a)
    blocks = 8 * numba.get_num_threads()

    @numba.njit(parallel=True, fastmath=True)
    def step(w, a, part, g):
        size = (m + blocks - 1) // blocks
        for b in numba.prange(blocks):
            for i in range(n):
                part[b, i] = 0
            for j in range(b * size, min(m, (b + 1) * size)):
                for i in range(n):
                    z = np.float32(0)
                    for k in range(d):
                        z += w[j, k] * X[i, k]
                    part[b, i] += a[j] * max(z, np.float32(0))
        low = np.float32(np.inf)
        for i in range(n):
            f = np.float32(0)
            for b in range(blocks):
                f += part[b, i]
            g[i] = y[i] * f / m
            low = min(low, g[i])
        total = np.float32(0)
        for i in range(n):
            g[i] = np.exp(low - g[i])
            total += g[i]
        for i in range(n):
            g[i] = -y[i] * g[i] / total
        for b in numba.prange(blocks):
            G = np.empty(d, np.float32)
            for j in range(b * size, min(m, (b + 1) * size)):
                for k in range(d):
                    G[k] = 0
                for i in range(n):
                    z = np.float32(0)
                    for k in range(d):
                        z += w[j, k] * X[i, k]
                    c = g[i] if z > 0 else np.float32(0)
                    for k in range(d):
                        G[k] += c * X[i, k]
                force = np.float32(0)
                for k in range(d):
                    force += w[j, k] * G[k]
                    w[j, k] -= np.float32(ETA) * a[j] * G[k]
                a[j] -= np.float32(ETA) * force

    def run(k, w, a):
        w, a = w.copy(), a.copy()
        part, g = np.zeros((blocks, n), np.float32), np.zeros(n, np.float32)
        for _ in range(k):
            step(w, a, part, g)
        return w, a

    return run


def torch_peer(compiled, tf32):
    def make(X, y, w, a):
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        if tf32 and device == "cpu":
            raise ImportError("TF32 needs a GPU")
        torch.set_num_threads(int(os.environ.get("THREADS", os.cpu_count())))
        torch.backends.cuda.matmul.allow_tf32 = tf32
        X, y = torch.as_tensor(X, device=device), torch.as_tensor(y, device=device)
        m = len(a)

        def step(w, a):
            z = X @ w.T
            u = y * (torch.relu(z) @ a / m)
            g = -y * torch.softmax(-u, 0)
            G = torch.where(z > 0, g[:, None], 0.0).T @ X
            return w - ETA * a[:, None] * G, a - ETA * (w * G).sum(1)

        if compiled:
            step = torch.compile(step)

        def run(k, w, a):
            w, a = torch.as_tensor(w, device=device), torch.as_tensor(a, device=device)
            with torch.no_grad():
                for _ in range(k):
                    w, a = step(w, a)
            if device == "cuda":
                torch.cuda.synchronize()
            return w.cpu().numpy(), a.cpu().numpy()

        return run

    return make


PEERS = {
    "NumPy": numpy_peer,
    "JAX jit": jax_peer,
    "numba": numba_peer,
    "torch eager": torch_peer(False, False),
    "torch.compile": torch_peer(True, False),
    "torch.compile TF32": torch_peer(True, True),
}


def predictions(X, w, a):
    return np.maximum(X.astype(np.float64) @ np.asarray(w, np.float64).T, 0) @ np.asarray(a, np.float64) / len(a)


def per_step(run, w, a):
    """Median over three of the time of a step, after warm-up; the host's copies are outside."""
    run(2, w, a)
    begun = time.perf_counter()
    run(2, w, a)
    steps = int(np.clip(1.0 / ((time.perf_counter() - begun) / 2), 2, 2000))
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        run(steps, w, a)
        times.append((time.perf_counter() - begun) / steps)
    return 1e3 * sorted(times)[1]


def main(folder):
    own = json.load(open(f"{folder}/steps.json"))
    rows, cases = {"widefield cpu": []}, list(own)
    for case in cases:
        data = np.load(f"{folder}/{case}.npz")
        X, y, w, a = (data[k].astype(np.float32) for k in ("X", "y", "w", "a"))
        after = np.load(f"{folder}/{case}-after.npz")["f"]
        scale = np.abs(after).max()
        for name, make in PEERS.items():
            try:
                run = make(X, y, w, a)
                off = np.abs(predictions(X, *run(STEPS, w, a)) - after).max() / scale
                if not off <= 1e-4:
                    raise SystemExit(f"{name} on {case} computes something else: off by {off:.1e}")
                rows.setdefault(name, []).append(per_step(run, w, a))
            except (ImportError, MemoryError) as e:
                print(f"{name} left out on {case}: {e}", file=sys.stderr)
                rows.setdefault(name, []).append(None)
        rows["widefield cpu"].append(own[case])
    print("| ms per step (m, n, d) | " + " | ".join(c.replace("-", ", ") for c in cases) + " |")
    print("|---" * (len(cases) + 1) + "|")
    for name, values in rows.items():
        if any(v is not None for v in values):
            print(f"| {name} | " + " | ".join("-" if v is None else f"{v:.3g}" for v in values) + " |")
    best = [min(r[k] for n, r in rows.items() if n != "widefield cpu" and r[k]) for k in range(len(cases))]
    print("| best rival / widefield | " + " | ".join(f"{b / v:.2f}" for b, v in zip(best, rows["widefield cpu"])) + " |")


if __name__ == "__main__":
    main(sys.argv[1])
