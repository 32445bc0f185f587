"""The worked example of challengeR (README, section 2.2), made anew from R's random numbers.

Three tasks of five algorithms A1 … A5, larger is better. Wiesenfarth et al. 2021,
doi 10.1038/s41598-021-82017-6. Checked once against the package's data_matrix.csv: equal to 1e-15.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

CASES, ALGORITHMS = 50, 5


def ideal_task() -> NDArray[np.float64]:
    """(cases, algorithms): uniform values in ranges that do not overlap (set.seed(4))."""
    low = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    high = np.array([1.0, 0.89, 0.79, 0.69, 0.59])
    uniform = _r_uniform(4, (ALGORITHMS + 1) * CASES)[CASES:]  # the first 50 go elsewhere
    return low + uniform.reshape(ALGORITHMS, CASES).T * (high - low)


def random_task() -> NDArray[np.float64]:
    """(cases, algorithms): logistic of N(1.5, 1), the same for all algorithms (set.seed(1))."""
    normal = _r_normal(1, ALGORITHMS * CASES)
    return expit(1.5 + normal).reshape(ALGORITHMS, CASES).T


def worst_case_task() -> NDArray[np.float64]:
    """(cases, algorithms): each of the 120 orders of five values once."""
    return np.array(list(permutations(np.linspace(0.8, 1, ALGORITHMS))))


def _r_uniform(seed: int, number: int) -> NDArray[np.float64]:
    """R's runif: a Mersenne Twister, seeded by R's linear congruential scrambling."""
    state = np.empty(625, dtype=np.uint32)
    for step in range(50 + len(state)):
        seed = (69069 * seed + 1) % 2**32
        if step >= 50:
            state[step - 50] = seed
    twister = np.random.MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": state[1:], "pos": 624}}
    return twister.random_raw(number) * 2.3283064365386963e-10


def _r_normal(seed: int, number: int) -> NDArray[np.float64]:
    """R's rnorm: inversion of a uniform number made of two draws."""
    coarse, fine = _r_uniform(seed, 2 * number).reshape(number, 2).T
    big = 2**27
    return norm.ppf((np.floor(big * coarse) + fine) / big)
