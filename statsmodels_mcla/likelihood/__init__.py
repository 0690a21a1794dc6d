"""The integral over the random effects, and its approximations.

`laplace` finds conditional modes, `sampling` draws around them, `monte_carlo` averages over the draws: value, score,
Hessian and their Monte Carlo errors at given parameters.  Where to look for the maximum is `estimation`'s.
The next of its kind: another approximation is a package here, on the buckets of `design`.
"""
