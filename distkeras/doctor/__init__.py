"""What a training needs, checked before it is started: ``distkeras doctor``.

``table`` lists the checks. Each is a function from what is known so far (``case``) to what it
finds (``findings``), one line. Spark is started by ``spark_side``, in a process of its own that
``spark_process`` can end; in the executors' tasks runs ``probe``.
"""

from distkeras.doctor.findings import Finding, Status
from distkeras.doctor.question import Question
from distkeras.doctor.table import diagnose

__all__ = ["Finding", "Question", "Status", "diagnose"]
