"""One rival on some cases, in a process of its own: rival.py NAME cpu|gpu FOLDER CASE...

FOLDER holds CASE.npz (X, y, w, a) and CASE-after.npz (f after the checked steps). Prints a JSON
object a line: {"case", "form", "ms"}, or "why" in place of "ms" where it cannot run. Ends with an
error where it computes something else.
"""

import json
import os
import sys

import numpy as np

from arrays import jax_rival, keops_rival, numpy_rival, torch_rival
from common import CHECKED, off, per_step, predictions
from fused import numba_rival

RIVALS = {
    "NumPy": numpy_rival,
    "JAX jit": jax_rival(tf32=False),
    "JAX jit TF32": jax_rival(tf32=True),
    "numba": numba_rival,
    "torch eager": torch_rival(compiled=False, tf32=False),
    "torch eager TF32": torch_rival(compiled=False, tf32=True),
    "torch.compile": torch_rival(compiled=True, tf32=False),
    "torch.compile TF32": torch_rival(compiled=True, tf32=True),
    "KeOps": keops_rival,
}

# Of what the steps change: float32 leaves up to 1e-4, products in TF32 (11 bits) some 1e-3.
TOLERANCE, TOLERANCE_TF32 = 1e-3, 2e-2


def main(name, device, folder, cases):
    # Libraries talk on standard output; what is printed here is alone on it.
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    say = lambda **line: print(json.dumps(line), file=lines, flush=True)
    for case in cases:
        data = np.load(f"{folder}/{case}.npz")
        X, y, w, a = (data[k] for k in ("X", "y", "w", "a"))
        after = np.load(f"{folder}/{case}-after.npz")["f"]
        start = predictions(X, w, a)
        try:
            forms = RIVALS[name](X, y, len(a), device)
        except (ImportError, OSError) as error:
            say(case=case, form="", why=str(error))
            continue
        best = float("inf")
        for form, (load, run, unload) in forms.items():
            try:
                distance = off(X, start, after, *unload(run(CHECKED, load(w, a))))
                if not distance <= (TOLERANCE_TF32 if "TF32" in name else TOLERANCE):
                    sys.exit(f"{name} ({form}) on {case} computes something else: off by {distance:.1e} of the change")
                ms = per_step(run, load(w, a), best)
            except (MemoryError, RuntimeError) as error:
                say(case=case, form=form, why=str(error).strip().split("\n")[0][:200])
                continue
            best = min(best, ms)
            say(case=case, form=form, ms=ms, off=float(distance))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
