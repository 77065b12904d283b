"""The parts of the multilevel engine; `analysis.mixed_model` is the way in."""
