//! Which keys a record may have at which level, and the column that each fills.

use std::sync::LazyLock;

use crate::schema::{Form, Kind, RESOURCE_FIELDS};

/// What a key leads to, as written down below.
enum Leads {
    /// A column, held as the column's form says.
    To(&'static str),
    /// A level of its own.
    Into(&'static [(&'static str, Leads)]),
    /// A list of levels, in a column.
    Each(&'static str, &'static [(&'static str, Leads)]),
}

use Leads::{Each, Into, To};

type Keys = &'static [(&'static str, Leads)];

const EVENT: Keys = &[
    ("eventVersion", To("eventVersion")),
    ("userIdentity", Into(USER_IDENTITY)),
    ("eventTime", To("eventTime")),
    ("eventSource", To("eventSource")),
    ("eventName", To("eventName")),
    ("awsRegion", To("awsRegion")),
    ("sourceIPAddress", To("sourceIPAddress")),
    ("userAgent", To("userAgent")),
    ("errorCode", To("errorCode")),
    ("errorMessage", To("errorMessage")),
    ("requestParameters", To("requestParameters")),
    ("responseElements", To("responseElements")),
    ("additionalEventData", To("additionalEventData")),
    ("requestID", To("requestID")),
    ("eventID", To("eventID")),
    ("readOnly", To("readOnly")),
    ("resources", Each("resources", RESOURCE)),
    ("apiVersion", To("apiVersion")),
    ("eventType", To("eventType")),
    ("managementEvent", To("managementEvent")),
    ("recipientAccountId", To("recipientAccountId")),
    ("sharedEventID", To("sharedEventID")),
    ("vpcEndpointId", To("vpcEndpointId")),
    ("vpcEndpointAccountId", To("vpcEndpointAccountId")),
    ("serviceEventDetails", To("serviceEventDetails")),
    ("eventCategory", To("eventCategory")),
    ("insightDetails", To("insightDetails")),
    ("addendum", To("addendum")),
    ("sessionCredentialFromConsole", To("sessionCredentialFromConsole")),
    ("edgeDeviceDetails", To("edgeDeviceDetails")),
    ("tlsDetails", Into(TLS_DETAILS)),
    ("eventContext", To("eventContext")),
    ("annotation", To("annotation")),
];

const USER_IDENTITY: Keys = &[
    ("type", To("userIdentity_type")),
    ("principalId", To("userIdentity_principalId")),
    ("arn", To("userIdentity_arn")),
    ("accountId", To("userIdentity_accountId")),
    ("accessKeyId", To("userIdentity_accessKeyId")),
    ("userName", To("userIdentity_userName")),
    ("invokedBy", To("userIdentity_invokedBy")),
    ("identityProvider", To("userIdentity_identityProvider")),
    ("credentialId", To("userIdentity_credentialId")),
    ("sessionContext", Into(SESSION_CONTEXT)),
    (
        "onBehalfOf",
        Into(&[
            ("userId", To("userIdentity_onBehalfOf_userId")),
            ("identityStoreArn", To("userIdentity_onBehalfOf_identityStoreArn")),
        ]),
    ),
    (
        "inScopeOf",
        Into(&[
            ("sourceArn", To("userIdentity_inScopeOf_sourceArn")),
            ("sourceAccount", To("userIdentity_inScopeOf_sourceAccount")),
            ("issuerType", To("userIdentity_inScopeOf_issuerType")),
            ("credentialsIssuedTo", To("userIdentity_inScopeOf_credentialsIssuedTo")),
        ]),
    ),
    ("invokedByDelegate", Into(&[("accountId", To("userIdentity_invokedByDelegate_accountId"))])),
];

const SESSION_CONTEXT: Keys = &[
    (
        "sessionIssuer",
        Into(&[
            ("type", To("userIdentity_sessionIssuer_type")),
            ("principalId", To("userIdentity_sessionIssuer_principalId")),
            ("arn", To("userIdentity_sessionIssuer_arn")),
            ("accountId", To("userIdentity_sessionIssuer_accountId")),
            ("userName", To("userIdentity_sessionIssuer_userName")),
        ]),
    ),
    (
        "webIdFederationData",
        Into(&[
            ("federatedProvider", To("userIdentity_webIdFederationData_federatedProvider")),
            ("attributes", To("userIdentity_webIdFederationData_attributes")),
        ]),
    ),
    (
        "attributes",
        Into(&[
            ("creationDate", To("userIdentity_creationDate")),
            ("mfaAuthenticated", To("userIdentity_mfaAuthenticated")),
        ]),
    ),
    ("sourceIdentity", To("userIdentity_sourceIdentity")),
    ("ec2RoleDelivery", To("userIdentity_ec2RoleDelivery")),
    ("ec2IssuedInVpc", To("userIdentity_ec2IssuedInVpc")),
    ("assumedRoot", To("userIdentity_assumedRoot")),
];

const TLS_DETAILS: Keys = &[
    ("tlsVersion", To("tlsDetails_tlsVersion")),
    ("cipherSuite", To("tlsDetails_cipherSuite")),
    ("clientProvidedHostHeader", To("tlsDetails_clientProvidedHostHeader")),
    ("keyExchange", To("tlsDetails_keyExchange")),
];

/// `ARN` is also seen as `arn`.
const RESOURCE: Keys = &[
    ("accountId", To("accountId")),
    ("type", To("type")),
    ("ARN", To("ARN")),
    ("arn", To("ARN")),
    ("ARNPrefix", To("ARNPrefix")),
];

/// Trail form (`insightDetails`) and Lake form (flattened) fill the same columns.
const INSIGHT: Keys = &[
    ("eventVersion", To("eventVersion")),
    ("eventTime", To("eventTime")),
    ("awsRegion", To("awsRegion")),
    ("eventID", To("eventID")),
    ("eventType", To("eventType")),
    ("eventCategory", To("eventCategory")),
    ("recipientAccountId", To("recipientAccountId")),
    ("sharedEventID", To("sharedEventID")),
    ("addendum", To("addendum")),
    (
        "insightDetails",
        Into(&[
            ("state", To("insightState")),
            ("eventSource", To("eventSource")),
            ("eventName", To("eventName")),
            ("insightType", To("insightType")),
            ("errorCode", To("insightErrorCode")),
            ("insightContext", To("insightContext")),
        ]),
    ),
    ("insightSource", To("insightSource")),
    ("insightState", To("insightState")),
    ("insightEventSource", To("eventSource")),
    ("insightEventName", To("eventName")),
    ("insightErrorCode", To("insightErrorCode")),
    ("insightType", To("insightType")),
    ("insightContext", To("insightContext")),
];

const AGGREGATE: Keys = &[
    ("eventVersion", To("eventVersion")),
    ("accountId", To("recipientAccountId")),
    ("eventId", To("eventID")),
    ("eventCategory", To("eventCategory")),
    ("eventType", To("eventType")),
    ("awsRegion", To("awsRegion")),
    ("eventSource", To("eventSource")),
    ("eventName", To("eventName")),
    (
        "timeWindow",
        Into(&[
            ("windowStart", To("eventTime")),
            ("windowEnd", To("windowEnd")),
            ("windowSize", To("windowSize")),
        ]),
    ),
    ("summary", To("summary")),
];

/// What a key leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    /// The column of this number, or the field of this number in a list's element.
    Leaf(usize, Form),
    /// The level of this number in the model.
    Level(usize),
    /// The list in the column of this number, its elements being of that level.
    List(usize, usize),
}

/// A key of a level.
#[derive(Debug)]
pub(crate) struct Key {
    /// As AWS spells it.
    pub name: &'static str,
    /// What it leads to.
    pub node: Node,
    /// One bit, which keys that fill the same column share.
    pub bit: u64,
}

/// An object of the record whose members are known.
#[derive(Debug)]
pub(crate) struct Level {
    /// Dotted path of the object, with a dot at its end; empty for the record itself.
    pub prefix: String,
    keys: Vec<Key>,
    /// Open addressing over `keys`: number + 1, or 0.
    slots: [u8; SLOTS],
}

const SLOTS: usize = 256;

impl Level {
    /// Returns the key of this name.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<&Key> {
        let mut slot = slot_of(name);
        loop {
            let number = self.slots[slot];
            let key = self.keys.get(usize::from(number.checked_sub(1)?))?;
            if key.name.as_bytes() == name {
                return Some(key);
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

/// Names differ in length, first and last letters enough for a nearly perfect table.
#[inline]
fn slot_of(name: &[u8]) -> usize {
    match name {
        [first, .., before, last] => {
            let (first, before) = (usize::from(*first), usize::from(*before));
            (name.len() * 29 + first * 7 + before * 13 + usize::from(*last)) % SLOTS
        }
        _ => 0,
    }
}

/// All levels of one kind of record.
#[derive(Debug)]
pub(crate) struct Model {
    levels: Vec<Level>,
}

impl Model {
    /// Returns the model of a kind; digest files are no records and have an empty one.
    pub fn of(kind: Kind) -> &'static Model {
        static MODELS: LazyLock<[Model; 4]> = LazyLock::new(|| {
            let build = |kind, keys| {
                let mut model = Model { levels: Vec::new() };
                model.add(String::new(), keys, &leaf_of_table(kind));
                model
            };
            [
                build(Kind::Events, EVENT),
                build(Kind::Insights, INSIGHT),
                build(Kind::Aggregated, AGGREGATE),
                build(Kind::Digest, &[]),
            ]
        });
        &MODELS[kind as usize]
    }

    /// Returns the level of the record itself.
    pub fn root(&self) -> &Level {
        &self.levels[0]
    }

    /// Returns a level by its number.
    pub fn level(&self, number: usize) -> &Level {
        &self.levels[number]
    }

    fn add(&mut self, prefix: String, keys: Keys, leaf: &dyn Fn(&str) -> Option<Node>) -> usize {
        let number = self.levels.len();
        self.levels.push(Level { prefix: prefix.clone(), keys: Vec::new(), slots: [0; SLOTS] });
        let mut level = Level { prefix: prefix.clone(), keys: Vec::new(), slots: [0; SLOTS] };
        for (name, leads) in keys {
            let below = |suffix: &str| format!("{prefix}{name}{suffix}.");
            let node = match leads {
                To(column) => leaf(column),
                Into(keys) => Some(Node::Level(self.add(below(""), keys, leaf))),
                Each(column, keys) => match leaf(column) {
                    Some(Node::Leaf(column, _)) => {
                        let element = self.add(below("[]"), keys, &leaf_of_resource);
                        Some(Node::List(column, element))
                    }
                    other => other,
                },
            };
            if let Some(node) = node {
                level.insert(name, node);
            }
        }
        self.levels[number] = level;
        number
    }
}

impl Level {
    fn insert(&mut self, name: &'static str, node: Node) {
        let same = self.keys.iter().find(|key| key.node == node);
        let bit = same.map_or(1 << self.keys.len(), |key| key.bit);
        self.keys.push(Key { name, node, bit });
        let mut slot = slot_of(name.as_bytes());
        while self.slots[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        self.slots[slot] = self.keys.len() as u8;
    }
}

fn leaf_of_table(kind: Kind) -> impl Fn(&str) -> Option<Node> {
    move |name| {
        let number = kind.columns().iter().position(|column| column.name == name)?;
        Some(Node::Leaf(number, kind.columns()[number].form))
    }
}

fn leaf_of_resource(name: &str) -> Option<Node> {
    let number = RESOURCE_FIELDS.iter().position(|field| *field == name)?;
    Some(Node::Leaf(number, Form::Text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_every_column_is_reached() {
        for (kind, keys) in
            [(Kind::Events, EVENT), (Kind::Insights, INSIGHT), (Kind::Aggregated, AGGREGATE)]
        {
            let model = Model::of(kind);
            assert_eq!(model.root().keys.len(), keys.len(), "{kind:?}");
            assert!(model.levels.iter().all(|level| level.keys.len() <= 64));
            let reached = |number: usize| {
                model.levels.iter().flat_map(|level| &level.keys).any(|key| match key.node {
                    Node::Leaf(column, _) | Node::List(column, _) => column == number,
                    Node::Level(_) => false,
                })
            };
            for (number, column) in kind.columns().iter().enumerate() {
                assert!(reached(number), "no key fills `{}`", column.name);
            }
            for level in &model.levels {
                for key in &level.keys {
                    let found = level.find(key.name.as_bytes()).map(|key| key.name);
                    assert_eq!(found, Some(key.name));
                }
            }
        }
    }
}
