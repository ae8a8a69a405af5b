"""What is needed to replay that a Gram matrix is strictly positive definite, or singular.

:mod:`.growth` moments; :mod:`.activation` what the theorems ask of an activation, by normal forms
(:mod:`proofs_check.replay.algebra`) on its pieces (:mod:`proofs_check.replay.pieces`); :mod:`.relations`
rational linear algebra; :mod:`.state` what each layer makes of what is known; :mod:`.network` the layers in
order.
"""
