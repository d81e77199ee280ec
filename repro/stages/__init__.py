"""One script per DVC stage: stage name = script name (dashes as underscores) = params section = output folder."""
