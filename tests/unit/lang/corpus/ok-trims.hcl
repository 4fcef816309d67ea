a = " ${~ x ~} %{~ if y ~} z %{~ else ~} %{~ endif ~} "
