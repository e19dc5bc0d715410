"""Recipes: what may be drawn, and the plan that is."""
