"""How data steps run: pure column functions over Arrow record batches, composed in process or as a Beam pipeline.

A step gives a `Source` (parts that can be read independently, each as a stream of batches) and a function of one
batch. `composition` runs them in process; if the job names a processing backend, `beam_pipeline` (the only importer
of apache_beam) builds the same from Beam's transforms. Both give the same bytes.
"""
