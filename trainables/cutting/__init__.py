"""Any torch model cut at named submodules into pieces that run one after another."""
