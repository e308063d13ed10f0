//! `skewness(x)`, `kurtosis(x)`, from central moments that are updated and merged value by value
//! (Pébay 2008, <https://doi.org/10.2172/1028931>).

use std::mem::size_of_val;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

pub(super) fn functions() -> [AggregateUDF; 2] {
    [Shape::Skewness, Shape::Kurtosis].map(|shape| {
        AggregateUDF::new_from_impl(Moment {
            shape,
            signature: Signature::exact(vec![DataType::Float64], Volatility::Immutable),
        })
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    Skewness,
    Kurtosis,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Moment {
    shape: Shape,
    signature: Signature,
}

impl AggregateUDFImpl for Moment {
    fn name(&self) -> &str {
        match self.shape {
            Shape::Skewness => "skewness",
            Shape::Kurtosis => "kurtosis",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Moments { shape: self.shape, sums: Sums::default() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let names = ["count", "mean", "m2", "m3", "m4"];
        Ok(names
            .map(|name| {
                Arc::new(Field::new(format_state_name(args.name, name), DataType::Float64, true))
            })
            .to_vec())
    }
}

/// Count, mean, and the sums of the second to fourth powers of the differences from the mean.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: f64,
    mean: f64,
    m2: f64,
    m3: f64,
    m4: f64,
}

impl Sums {
    fn merged(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let (na, nb, n) = (self.count, other.count, self.count + other.count);
        let delta = other.mean - self.mean;
        let (delta2, delta3, delta4) = (delta * delta, delta.powi(3), delta.powi(4));
        Self {
            count: n,
            mean: self.mean + delta * nb / n,
            m2: self.m2 + other.m2 + delta2 * na * nb / n,
            m3: self.m3
                + other.m3
                + delta3 * na * nb * (na - nb) / (n * n)
                + 3.0 * delta * (na * other.m2 - nb * self.m2) / n,
            m4: self.m4
                + other.m4
                + delta4 * na * nb * (na * na - na * nb + nb * nb) / n.powi(3)
                + 6.0 * delta2 * (na * na * other.m2 + nb * nb * self.m2) / (n * n)
                + 4.0 * delta * (na * other.m3 - nb * self.m3) / n,
        }
    }

    fn skewness(&self) -> Option<f64> {
        (self.count >= 3.0).then(|| self.count.sqrt() * self.m3 / self.m2.powf(1.5))
    }

    fn kurtosis(&self) -> Option<f64> {
        let n = self.count;
        let variance = self.m2 / (n - 1.0);
        (n >= 4.0).then(|| {
            n * (n + 1.0) / ((n - 1.0) * (n - 2.0) * (n - 3.0)) * self.m4 / (variance * variance)
                - 3.0 * (n - 1.0).powi(2) / ((n - 2.0) * (n - 3.0))
        })
    }
}

#[derive(Debug)]
struct Moments {
    shape: Shape,
    sums: Sums,
}

impl Accumulator for Moments {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Float64Type>().iter().flatten() {
            let one = Sums { count: 1.0, mean: value, ..Sums::default() };
            self.sums = self.sums.merged(one);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(match self.shape {
            Shape::Skewness => self.sums.skewness(),
            Shape::Kurtosis => self.sums.kurtosis(),
        }))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Sums { count, mean, m2, m3, m4 } = self.sums;
        Ok([count, mean, m2, m3, m4].map(|part| ScalarValue::Float64(Some(part))).to_vec())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let parts: Vec<_> = states.iter().map(|part| part.as_primitive::<Float64Type>()).collect();
        let [count, mean, m2, m3, m4] = parts.as_slice() else { return Ok(()) };
        for row in 0..count.len() {
            let other = Sums {
                count: count.value(row),
                mean: mean.value(row),
                m2: m2.value(row),
                m3: m3.value(row),
                m4: m4.value(row),
            };
            self.sums = self.sums.merged(other);
        }
        Ok(())
    }
}
