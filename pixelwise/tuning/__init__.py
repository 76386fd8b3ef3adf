"""The search for better training parameters: Optuna's trials, their ranges, and the training of each."""
