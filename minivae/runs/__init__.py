"""Models and runs on disk: model files, run folders, checkpoints, and training in a run folder.

model = runs.load_run("runs/mnist")      # the model of a run folder
runs.save_model("model.npz", model)      # one file with the model alone
"""

from minivae.runs.folders import (
    CHECKPOINT_FILE,
    HISTORY_FILE,
    MODEL_FILE,
    RECORD,
    RUN_FILE,
    RUN_FORMAT,
    claim_folder,
    extend_run,
    is_new,
    is_run,
    load_gan_run,
    load_run,
    model_of,
    read_run_file,
    recorded_reading,
    recorded_settings,
    start_run,
    versions,
    with_current_names,
    write_history,
)
from minivae.runs.model_files import (
    MODEL_KIND,
    GanModel,
    Model,
    image_shape_from_json,
    load_gan,
    load_model,
    save_model,
    spec_from_json,
)
from minivae.runs.progress import ProgressBar, is_watched
from minivae.runs.training import train_run, train_with_saves

__all__ = [
    "CHECKPOINT_FILE",
    "HISTORY_FILE",
    "MODEL_FILE",
    "MODEL_KIND",
    "RECORD",
    "RUN_FILE",
    "RUN_FORMAT",
    "GanModel",
    "Model",
    "ProgressBar",
    "claim_folder",
    "extend_run",
    "image_shape_from_json",
    "is_new",
    "is_run",
    "is_watched",
    "load_gan",
    "load_gan_run",
    "load_model",
    "load_run",
    "model_of",
    "read_run_file",
    "recorded_reading",
    "recorded_settings",
    "save_model",
    "spec_from_json",
    "start_run",
    "train_run",
    "train_with_saves",
    "versions",
    "with_current_names",
    "write_history",
]
