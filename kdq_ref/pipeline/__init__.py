"""The main job as a few plain calls: teacher, student, distilled student, integers, proof."""

from kdq_ref.pipeline.compare import compare
from kdq_ref.pipeline.job import Job
from kdq_ref.pipeline.recipes import RECIPES, Recipe, recipe_for
from kdq_ref.pipeline.run import run

__all__ = ["RECIPES", "Job", "Recipe", "compare", "recipe_for", "run"]
