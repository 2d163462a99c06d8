"""The base of every unit: epochs, checkpoints, optimiser steps, processes, seeds."""
