# The Palmer penguins: which species is it, judging by bill, flipper, weight, sex and island?
#
#   zenctl plan     says what would run, and why, without running anything
#   zenctl apply    runs exactly that
#
# Everything below is a value that others refer to by its address, such as step.split.penguins.train. A reference is
# also the order: what refers to a step runs after it. There is no other place where the order is written down.

zenctl {
  required_version = ">= 0.1"
  project          = "penguins"
  # Records go to .zenctl/metadata.db and artifacts to .zenctl/artifacts, unless other stores are declared here.
}

# Set it with -var epochs=10, with ZENCTL_VAR_epochs=10, or in a file *.auto.zenvars.
# Then plan again: only training, what follows from it and nothing else is stale.
variable "epochs" {
  type    = number
  default = 5
}

# A snapshot of the file, in immutable shards. Add a row to it and plan says so, with the number of rows.
datasource "csv" "penguins" {
  path = "data/penguins.csv"
}

# Your own code: a function in a file. Its signature declares inputs, outputs and parameters. A comment in it, or
# another layout, leaves the step fresh; a change that it can notice makes it stale.
step "python" "clean" {
  code   = "steps/clean.py:clean"
  inputs = { data = datasource.csv.penguins }
  params = { required = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"] }
}

# By a hash of each row: a row stays on its side when others come or go.
step "split" "penguins" {
  inputs = { data = step.python.clean.out }
  ratio  = { train = 0.8, eval = 0.2 }
  seed   = 7
}

step "statistics" "penguins" {
  inputs = { data = step.split.penguins.train }
}

# Learns on train, then applies the same to both: numbers are scaled, texts become indices, gaps are filled.
# What was learned goes into the model, too, so that serving takes penguins as they are measured.
step "transform" "penguins" {
  inputs  = { train = step.split.penguins.train, eval = step.split.penguins.eval }
  label   = "species"
  exclude = ["year"] # when it was measured says nothing about what it is
}

step "train" "penguins" {
  inputs = {
    train     = step.transform.penguins.train
    eval      = step.transform.penguins.eval
    transform = step.transform.penguins.transform
  }
  label         = "species"
  hidden_layers = [16]
  epochs        = var.epochs
  batch_size    = 16
  learning_rate = 0.01
  seed          = 7
}

# Measures on rows that training has not learned from, as a whole and island by island. The model goes on to whoever
# refers to step.evaluate.penguins.model only if every gate is met.
step "evaluate" "penguins" {
  inputs = { model = step.train.penguins.model, data = step.split.penguins.eval }
  slices = ["island"]
  gates  = { accuracy = { min = 0.9 } }
}

# A server on this machine that outlives the command. `zenctl destroy` stops it.
endpoint "local" "penguins" {
  model = step.evaluate.penguins.model
}

output "accuracy" {
  value = step.evaluate.penguins.metrics.accuracy
}
