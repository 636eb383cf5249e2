//! Whom the people of a homeserver can turn to. spec: client-server §GET
//! /.well-known/matrix/support

use ruma::api::client::discovery::discover_support::Contact;
use serde::Deserialize;

/// Contacts, a page, or both.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Given")]
pub struct Support {
    contacts: Vec<Contact>,
    support_page: Option<String>,
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    contacts: Vec<Contact>,
    support_page: Option<String>,
}

impl Support {
    /// What the specification allows: at least one of both, and with each contact a way to reach
    /// it.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn new(contacts: Vec<Contact>, support_page: Option<String>) -> Result<Self, &'static str> {
        if contacts.is_empty() && support_page.is_none() {
            return Err("neither contacts nor a support_page");
        }
        if contacts.iter().any(|of| of.matrix_id.is_none() && of.email_address.is_none()) {
            return Err("a contact with neither a matrix_id nor an email_address");
        }
        Ok(Self { contacts, support_page })
    }

    /// Ways to reach those who run the homeserver.
    pub fn contacts(&self) -> &[Contact] {
        &self.contacts
    }

    /// The address of a page that helps.
    pub fn support_page(&self) -> Option<&str> {
        self.support_page.as_deref()
    }
}

impl TryFrom<Given> for Support {
    type Error = &'static str;

    fn try_from(given: Given) -> Result<Self, &'static str> {
        Self::new(given.contacts, given.support_page)
    }
}
