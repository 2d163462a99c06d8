"""What every unit builds on: epochs, checkpoints, optimiser steps, processes, seeds."""
