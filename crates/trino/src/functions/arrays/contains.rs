//! `contains(array, value)`, `contains(network, address)`.

use std::net::IpAddr;

use datafusion::arrow::array::{Array, AsArray, ListArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::lists;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, boolean, is_text};

pub(super) fn function() -> Function {
    Function {
        family: "arrays",
        syntax: "contains(array, value), contains(network, address)",
        doc: "Whether the array has the value; NULL when it does not but has a NULL. With a \
              network such as `'10.0.0.0/8'`, whether the address lies in it.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("contains", &[Takes::Any, Takes::Any], boolean, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let value = rows.full_array(0)?;
    match value.data_type() {
        data_type if is_text(data_type) => in_network(rows),
        DataType::Null => rows.booleans(|_| Ok(None)),
        DataType::List(_) => in_list(rows, value.as_list()),
        other => exec_err!("`contains` takes an array or a network, not {other}"),
    }
}

fn in_list(rows: &Rows, list: &ListArray) -> Result<ColumnarValue> {
    let wanted = rows.full_array(1)?;
    if wanted.data_type().is_null() {
        return rows.booleans(|_| Ok(None));
    }
    if list.value_type().is_null() {
        // Nothing but NULLs.
        return rows.booleans(|row| {
            let unknown = list.is_null(row) || list.value_length(row) > 0 || wanted.is_null(row);
            Ok(if unknown { None } else { Some(false) })
        });
    }
    let matches = lists::equal_to(rows, list, 1)?;
    rows.booleans(|row| {
        if list.is_null(row) || wanted.is_null(row) {
            return Ok(None);
        }
        let mut places = lists::range(list, row);
        if places.clone().any(|at| matches.value(at as usize)) {
            return Ok(Some(true));
        }
        let unknown = places.any(|at| list.values().is_null(at as usize));
        Ok(if unknown { None } else { Some(false) })
    })
}

fn in_network(rows: &Rows) -> Result<ColumnarValue> {
    let (networks, addresses) = (rows.text(0)?, rows.text(1)?);
    rows.booleans(|row| {
        let (Some(network), Some(address)) = (networks.get(row)?, addresses.get(row)?) else {
            return Ok(None);
        };
        let Ok(address) = address.trim().parse::<IpAddr>() else {
            return exec_err!(
                "`{address}` is not an IP address; TRY_CAST(… AS ipaddress) gives \
                              NULL for such text"
            );
        };
        match Network::parse(network) {
            Some(network) => Ok(Some(network.has(address))),
            None => exec_err!("`{network}` is not a network such as 10.0.0.0/8"),
        }
    })
}

/// A CIDR block.
struct Network {
    first: IpAddr,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (first, bits) = text.trim().split_once('/')?;
        let (first, bits): (IpAddr, u32) = (first.parse().ok()?, bits.parse().ok()?);
        let most = if first.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self { first, bits })
    }

    fn has(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                u32::from(first) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                u128::from(first) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}
