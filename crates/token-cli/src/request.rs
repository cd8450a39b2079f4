//! The facts of a request from the command line, by which a token is judged.

use std::net::IpAddr;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use token_core::{Context, Interface, Region, Service, Session, Subject, UnixTime};

use crate::{error::Failure, time};

#[derive(Args)]
pub(crate) struct RequestArgs {
    /// The time of the request, in RFC 3339 or Unix seconds; with a store, not earlier than now [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse_time, help_heading = "Context")]
    at: Option<UnixTime>,
    /// The IP address of the caller
    #[arg(long, value_name = "ADDR", help_heading = "Context")]
    ip: Option<IpAddr>,
    /// The autonomous system of that address
    #[arg(long, value_name = "N", help_heading = "Context")]
    asn: Option<u32>,
    /// The country of that address, as its two-letter code
    #[arg(long, value_name = "CC", value_parser = country, help_heading = "Context")]
    country: Option<String>,
    /// A region of that address, such as Europe; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = region(), help_heading = "Context")]
    region: Vec<Region>,
    /// The consumer of the token: usr-ID, grp-ID or prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = consumer, help_heading = "Context")]
    pub(crate) consumer: Option<Subject>,
    /// The service that makes the request, such as opw-ID
    #[arg(long, value_name = "SERVICE", help_heading = "Context")]
    service: Option<Service>,
    /// The interface that receives the request
    #[arg(long, value_name = "NAME", value_parser = interface(), help_heading = "Context")]
    interface: Option<Interface>,
    /// Accept caveats that restrict access to data; the service enforces them later, at each file
    #[arg(long, help_heading = "Context")]
    allow_data_caveats: bool,
}

impl RequestArgs {
    /// The given time, or that of the clock. Fails if the clock shows a time before 1970.
    pub(crate) fn now(&self) -> Result<UnixTime, Failure> {
        self.at.map_or_else(time::now, Ok)
    }

    /// The facts of the request at this time, by which caveats are judged.
    pub(crate) fn context(&self, now: UnixTime) -> Context {
        let mut context = Context::at(now);
        context.peer_ip = self.ip;
        context.asn = self.asn;
        context.country = self.country.clone();
        context.regions = (!self.region.is_empty()).then(|| self.region.clone());
        context.service = self.service.clone();
        context.consumer = self.consumer.clone();
        context.interface = self.interface;
        context.data_caveats_allowed = self.allow_data_caveats;
        context.session = Session::Any;
        context
    }
}

// With their possible values, which completions offer.

fn interface() -> impl TypedValueParser<Value = Interface> {
    let all = [Interface::Rest, Interface::Oneclient, Interface::Graphsync].map(Interface::as_str);
    PossibleValuesParser::new(all).try_map(|text| text.parse::<Interface>())
}

fn region() -> impl TypedValueParser<Value = Region> {
    PossibleValuesParser::new(Region::ALL.map(Region::as_str)).try_map(|text| text.parse::<Region>())
}

/// Upper case, as in address databases and in every caveat that can hold.
fn country(text: &str) -> Result<String, &'static str> {
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_code.then(|| text.to_ascii_uppercase()).ok_or("not two letters")
}

/// Reads a consumer: a user, a group or a provider. Refuses `nobody`.
pub(crate) fn consumer(text: &str) -> Result<Subject, &'static str> {
    match text.parse() {
        Err(_) | Ok(Subject::Nobody) => Err("none of usr-ID, grp-ID and prv-ID"),
        Ok(subject) => Ok(subject),
    }
}

/// Reads an issuer: a user or a provider. Refuses every other subject.
pub(crate) fn issuer(text: &str) -> Result<Subject, &'static str> {
    match text.parse() {
        Ok(subject @ (Subject::User(_) | Subject::Provider(_))) => Ok(subject),
        _ => Err("neither usr-ID nor prv-ID; only users and providers issue tokens"),
    }
}
