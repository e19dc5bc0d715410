"""Operations of a recipe, one kind a module: what is drawn for each."""
