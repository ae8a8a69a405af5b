"""What is needed to replay that a Gram matrix is strictly positive definite, or singular.

:mod:`.algebra` exact normal forms; :mod:`.pieces` activations without switches; :mod:`.growth` moments;
:mod:`.activation` the three together; :mod:`.relations` rational linear algebra; :mod:`.state` what each
layer makes of what is known; :mod:`.network` the layers in order.
"""
